/**
 * The data session with one peer, from bound socket to `ended`: opens it in the data plane once the handshake has given
 * the keys, and records that it was opened and lost.
 */

import type { MessagePort } from 'node:worker_threads'
import type { DataOf } from '@godwit/engine/domain/transfer/state'
import type { SessionKeys } from '@godwit/engine/handshake/types'
import type { CloseCode } from '@godwit/engine/transport/types'
import type { CandidatePolicy } from '@godwit/protocol/candidates'
import type { ErrorCode, Result } from '@godwit/protocol/errors'
import type { RecordedEvent } from '@godwit/protocol/events'
import type { TransferEvent } from '@godwit/protocol/transferEvents'
import type { SessionCommand, SessionReport } from '../dataPlane/dataPlane.js'
import type { ReceiverParameters, SenderParameters, SessionParameters } from '../dataPlane/messages.js'
import { hostAddresses, isLoopbackOnly } from '../network/hostAddresses.js'
import { openPeerSocket, type PeerSocket } from '../network/peerSocket.js'
import { describe } from '../transfers/transferLog.js'
import type { Rendezvous, RunContext } from './runContext.js'
import { SideLanes, type SideLanesOptions } from './sideLanes.js'

export type EndedReport = Extract<SessionReport, { type: 'ended' }>
export type EstablishedReport = Extract<SessionReport, { type: 'established' }>
export type SessionShape = Pick<DataOf<'SessionChanged'>, 'path' | 'mtu' | 'trains' | 'lanes'>
export type InnerReport = Exclude<SessionReport, EndedReport | EstablishedReport | { type: 'raw' | 'changed' }>

export interface PeerSessionEvents {
  onEstablished(report: EstablishedReport): Promise<void>
  /** The session has another shape than before. */
  onChanged(shape: SessionShape): Promise<void>
  onReport(report: InnerReport): Promise<void>
  onEnded(report: EndedReport): Promise<void>
}

/** What a session needs for the lanes beside its first one. */
export type LaneParts = Pick<SideLanesOptions, 'plane' | 'rendezvous' | 'listenHost' | 'candidatePolicy'>

export class PeerSession {
  readonly #socket: PeerSocket
  readonly #parts: LaneParts
  #sideLanes: SideLanes | undefined
  #shape: Omit<SessionShape, 'lanes'> | undefined
  #isEnded = false
  /** A report could not be dealt with: those behind it build on it. */
  #isBroken = false
  /** The number that the log gave it; 0 until it is recorded as opened. */
  number = 0
  isEstablished = false

  constructor(socket: PeerSocket, parts: LaneParts) {
    this.#socket = socket
    this.#parts = parts
  }

  get candidates(): PeerSocket['candidates'] {
    return this.#socket.candidates
  }

  /** @param sending - how what this side sends is slowed down. @param spawn - runs a task in the order of the transfer. */
  start(
    keys: SessionKeys,
    transfer: SenderParameters | ReceiverParameters,
    sending: Pick<SessionParameters, 'limit' | 'profile'>,
    events: PeerSessionEvents,
    spawn: (task: () => Promise<void>) => void,
  ): void {
    this.#sideLanes = new SideLanes({
      ...this.#parts,
      role: transfer.role,
      keys,
      ...sending,
      command: (command, ports) => this.command(command, ports),
      onCount: () => spawn(() => this.#onShape(events)),
    })
    this.#socket.onReport = (report) => spawn(() => this.#onReport(report, events))
    const candidates = keys.peer.candidates.filter(({ family }) => family === 'ipv4')
    this.command({
      type: 'start',
      session: {
        lane: 0,
        connectionIds: keys.connectionIds,
        packetCipher: keys.packetCipher,
        trafficSecrets: keys.trafficSecrets,
        candidates,
        ...sending,
      },
      transfer,
    })
    // The worker has its own copies.
    keys.trafficSecrets.receiverToSender.fill(0)
    keys.trafficSecrets.senderToReceiver.fill(0)
  }

  async #onReport(report: SessionReport, events: PeerSessionEvents): Promise<void> {
    switch (report.type) {
      case 'raw':
        return
      case 'ended':
        this.#isEnded = true
        this.#sideLanes?.close('done')
        return events.onEnded(report)
      default:
        break
    }
    if (this.#isBroken) return
    try {
      if (report.type === 'established') {
        this.isEstablished = true
        this.#shape = report
        await events.onEstablished(report)
      } else if (report.type === 'changed') {
        this.#shape = report
        await this.#onShape(events)
      } else if (!this.#onLanes(report)) await events.onReport(report)
    } catch (error) {
      // What was reported is not in the log, and is not reported again: the next session begins from what disk and log
      // hold.
      this.#isBroken = true
      this.close('shutdown')
      throw error
    }
  }

  command(command: SessionCommand, ports?: readonly MessagePort[]): void {
    this.#socket.session.command(command, ports)
  }

  /**
   * Offers lanes beside the first one: `count` in all. The sender does, once the receiver has accepted. Nothing waits for
   * it: how sockets are seen from outside may take seconds to find out.
   */
  offerLanes(count: number): void {
    void this.#sideLanes?.offer(count)
  }

  /** @param limit - bytes a second of all lanes together; null for none. */
  setLimit(limit: number | null): void {
    this.#sideLanes?.setLimit(limit)
  }

  close(code: CloseCode): void {
    this.#sideLanes?.close(code)
    this.command({ type: 'close', code })
  }

  async #onShape(events: PeerSessionEvents): Promise<void> {
    if (this.#shape === undefined || this.#isEnded) return
    const { path, mtu, trains } = this.#shape
    await events.onChanged({ path, mtu, trains, lanes: this.#sideLanes?.count ?? 1 })
  }

  /** What the two sides say about lanes: nothing that the transfer has to know. */
  #onLanes(report: InnerReport): boolean {
    if (report.type === 'sender' && report.report.type === 'lanesAnswered') {
      this.#sideLanes?.start(report.report.lanes)
      return true
    }
    if (report.type === 'receiver' && report.report.type === 'lanesOffered') {
      void this.#sideLanes?.answer(report.report.lanes)
      return true
    }
    return false
  }
}

/** Which addresses of the other side may be tried from `listenHost`. */
export const candidatePolicyOf = (listenHost: string): CandidatePolicy => ({
  allowsLoopback: isLoopbackOnly(hostAddresses(listenHost)),
})

/** Binds a session's socket and gathers its candidates; undefined when that is not possible now. */
export const openPeerSession = async (
  { plane, listenHost, logger }: RunContext,
  transferId: string,
  rendezvous: Rendezvous | undefined,
): Promise<PeerSession | undefined> => {
  if (rendezvous === undefined) return undefined
  const opened = await openPeerSocket({ plane, rendezvous, listenHost })
  if (!opened.ok) {
    logger.error({ transferId }, describe(opened.failure))
    return undefined
  }
  return new PeerSession(opened.value, {
    plane,
    rendezvous,
    listenHost,
    candidatePolicy: candidatePolicyOf(listenHost),
  })
}

/** Why a session was lost, as the log says it. */
export const reasonOfEnd = ({ cause, code }: EndedReport): ErrorCode => {
  if (cause === 'noPath') return 'ERR_NO_PATH'
  if (code === 'protocol') return 'ERR_PEER_PROTOCOL'
  if (code === 'cancelled') return 'ERR_CANCELLED_BY_PEER'
  return 'ERR_SESSION_LOST'
}

/** What is known of a path that was never found, in one line for the user. */
export const noPathDetail = ({ datagramsReceived }: EndedReport, candidates: number): string =>
  datagramsReceived === 0
    ? `no datagram came in from any of ${candidates} addresses of the other side; most likely a firewall drops incoming UDP here or there`
    : 'datagrams of the other side came in but its answers did not; most likely a firewall or NAT passes UDP in one direction only'

/** The number that the log gave to the session that was just recorded as opened; 0 where it recorded none. */
export const sessionNumberOf = (opened: Result<readonly RecordedEvent<TransferEvent>[]>): number => {
  if (!opened.ok) return 0
  for (const { type, data } of opened.value) if (type === 'SessionOpened' && 'session' in data) return data.session
  return 0
}
