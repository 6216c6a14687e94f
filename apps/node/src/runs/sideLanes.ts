/**
 * The lanes beside the first one of a session: opens their sockets, tells the other side where they are over the control
 * stream, and starts each with keys of its own and a port to the first lane's thread. A lane that finds no path, or loses
 * it, ends alone; its chunks go over the others.
 */

import type { MessagePort } from 'node:worker_threads'
import { MessageChannel } from 'node:worker_threads'
import type { TrafficSecrets } from '@godwit/engine/handshake/keySchedule'
import type { SessionKeys } from '@godwit/engine/handshake/types'
import type { CongestionProfile } from '@godwit/engine/transport/congestion/profile'
import type { CloseCode } from '@godwit/engine/transport/types'
import { type CandidatePolicy, usableCandidates } from '@godwit/protocol/candidates'
import type { LaneAddress } from '@godwit/protocol/controlMessages'
import type { SessionCommand } from '../dataPlane/dataPlane.js'
import { openPeerSocket, type PeerSocket } from '../network/peerSocket.js'
import type { Rendezvous, SessionOpener } from './runContext.js'

export interface SideLanesOptions {
  readonly role: 'sender' | 'receiver'
  readonly plane: SessionOpener
  readonly rendezvous: Rendezvous
  readonly listenHost: string
  readonly candidatePolicy: CandidatePolicy
  /** The secrets are copied, and wiped at the end. */
  readonly keys: SessionKeys
  /** How what this side sends shares the path with others. */
  readonly profile: CongestionProfile
  /** Bytes a second of the whole session at its start; null for none. */
  readonly limit: number | null
  /** `count` has changed. */
  readonly onCount: () => void
  /** To the first lane. */
  readonly command: (command: SessionCommand, transfer?: readonly MessagePort[]) => void
}

export class SideLanes {
  readonly #options: SideLanesOptions
  readonly #secrets: TrafficSecrets
  /** By lane: a socket that waits for the other side's answer, or a lane that runs. */
  readonly #opened = new Map<number, PeerSocket>()
  readonly #running = new Map<number, PeerSocket>()
  /** Those of them that have found a path. */
  readonly #established = new Set<number>()
  #limit: number | null
  #isEnded = false

  constructor(options: SideLanesOptions) {
    this.#options = options
    this.#limit = options.limit
    const { receiverToSender, senderToReceiver } = options.keys.trafficSecrets
    this.#secrets = { receiverToSender: receiverToSender.slice(), senderToReceiver: senderToReceiver.slice() }
  }

  /** Lanes that carry data, the first one included. */
  get count(): number {
    return 1 + this.#established.size
  }

  /** The sender's part: offers lanes 1 … count - 1. */
  async offer(count: number): Promise<void> {
    if (count < 2) return
    const lanes = await this.#open(Array.from({ length: count - 1 }, (_, i) => i + 1))
    if (lanes.length > 0 && !this.#isEnded) this.#options.command({ type: 'offerLanes', lanes })
  }

  /** The receiver's answer to an offer: as many as it can open. */
  async answer(offered: readonly LaneAddress[]): Promise<void> {
    const lanes = await this.#open(offered.map(({ lane }) => lane))
    if (this.#isEnded) return
    this.#options.command({ type: 'answerLanes', lanes })
    for (const address of offered) this.#start(address)
  }

  /** The receiver has answered: the lanes that it takes begin. */
  start(answered: readonly LaneAddress[]): void {
    for (const address of answered) this.#start(address)
    // Those that it did not take are not needed.
    for (const socket of this.#opened.values()) socket.session.command({ type: 'close', code: 'done' })
    this.#opened.clear()
  }

  /** @param limit - bytes a second of the whole session; null for none. */
  setLimit(limit: number | null): void {
    this.#limit = limit
    this.#shareLimit()
  }

  close(code: CloseCode): void {
    this.#isEnded = true
    for (const socket of [...this.#opened.values(), ...this.#running.values()]) {
      socket.session.command({ type: 'close', code })
    }
    this.#opened.clear()
    this.#running.clear()
    this.#secrets.receiverToSender.fill(0)
    this.#secrets.senderToReceiver.fill(0)
  }

  async #open(lanes: readonly number[]): Promise<LaneAddress[]> {
    const { plane, rendezvous, listenHost } = this.#options
    const opened = await Promise.all(
      lanes.map(async (lane): Promise<LaneAddress | undefined> => {
        const socket = await openPeerSocket({ plane, rendezvous, listenHost })
        if (!socket.ok) return undefined
        if (this.#isEnded) {
          socket.value.session.command({ type: 'close', code: 'done' })
          return undefined
        }
        this.#opened.set(lane, socket.value)
        return { lane, candidates: socket.value.candidates }
      }),
    )
    return opened.filter((address) => address !== undefined)
  }

  #start({ lane, candidates }: LaneAddress): void {
    const { role, keys, command, candidatePolicy, profile } = this.#options
    const socket = this.#opened.get(lane)
    if (socket === undefined || this.#isEnded) return
    this.#opened.delete(lane)
    this.#running.set(lane, socket)
    socket.onReport = (report) => {
      if (report.type === 'established') this.#established.add(lane)
      else if (report.type === 'ended') {
        this.#running.delete(lane)
        this.#established.delete(lane)
      } else return
      if (this.#isEnded) return
      this.#shareLimit()
      this.#options.onCount()
    }
    const { port1, port2 } = new MessageChannel()
    command({ type: 'attachLane', port: port1 }, [port1])
    socket.session.command(
      {
        type: 'startSide',
        role,
        port: port2,
        session: {
          lane,
          connectionIds: keys.connectionIds,
          packetCipher: keys.packetCipher,
          trafficSecrets: this.#secrets,
          candidates: usableCandidates(candidates, candidatePolicy).filter(({ family }) => family === 'ipv4'),
          limit: null,
          profile,
        },
      },
      [port2],
    )
    this.#shareLimit()
  }

  /** A limit is the session's: each lane gets its part. */
  #shareLimit(): void {
    if (this.#isEnded) return
    const limit = this.#limit === null ? null : Math.max(1, Math.floor(this.#limit / (1 + this.#running.size)))
    this.#options.command({ type: 'setLimit', limit })
    for (const { session } of this.#running.values()) session.command({ type: 'setLimit', limit })
  }
}
