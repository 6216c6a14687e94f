/**
 * One lane in its worker thread: socket and connection, driven by one run loop: input → `handle*` → drain `poll*` → arm
 * the timer. All I/O with the network hangs here; decisions are the engine's, and what the packets carry is the owner's.
 */
import { randomBytes } from 'node:crypto'
import { Connection } from '@godwit/engine/transport/connection'
import type { ChunkSink, ChunkSource, CloseCode, ConnectionStats, Transmit } from '@godwit/engine/transport/types'
import { assert } from '@godwit/protocol/assert'
import { PROBE_BYTES } from '@godwit/protocol/limits'
import { looksLikeObserveAnswer } from '@godwit/protocol/observe'
import { connectionKeys } from '../crypto/packetProtection.js'
import type { LaneReport, PathCandidate, SessionParameters } from './messages.js'
import { UdpSocket } from './udpSocket.js'

/** Bytes built in one turn of the loop before I/O gets its turn again. */
const TURN_MAX_BYTES = 512 * 1024
/** Milliseconds that an ended lane's socket stays at the most, and between two looks at it. */
const LINGER_MAX_MS = 2000
const LINGER_STEP_MS = 20
/** Ends after which no other session tells what this one had to say. */
const HAS_LAST_WORDS: ReadonlySet<CloseCode> = new Set(['done', 'cancelled'])
/** Milliseconds that the peer has to acknowledge the last words of a lane that this side ends. */
const LAST_WORDS_MS = 1000
/**
 * Milliseconds that a sender waits for the receiver's first probe before it probes addresses behind NATs itself: only
 * one side may send first, and the receiver is it, since it knows that the sender's NAT is open (docs/protocol/transport.md).
 */
const NAT_WAIT_MS = 2000

/** Microseconds of the monotonic clock of all lanes. */
export const nowUs = (): number => Math.floor(performance.now() * 1000)

export type EndCause = Extract<LaneReport, { type: 'ended' }>['cause']

/** What the owner of a lane does with it. */
export interface LaneOwner {
  /** A path works: for the first time, or another one. */
  onPath(pathId: number, isFirst: boolean): void
  /** Bytes of the control stream; false when they make no sense. */
  onControl(bytes: Uint8Array): boolean
  /** Datagrams have another size, or trains were refused. */
  onShapeChanged(): void
  /** Before a turn sends: hands on what waits. */
  pump(nowUs: number): void
  /** When the owner wants a turn; Infinity for never. */
  pollTimeout(): number
  /** Whether everything that the owner has to say was handed to the control stream. */
  readonly hasSaidAll: boolean
  /** The lane is over: nothing more comes. The socket lingers by itself. */
  onEnded(cause: EndCause, code: CloseCode | null): void
}

export class LaneLoop {
  readonly #key: string
  readonly #post: (report: LaneReport) => void
  #owner: LaneOwner | undefined
  #socket: UdpSocket | undefined
  #connection: Connection | undefined
  #timer: NodeJS.Timeout | undefined
  /** Addresses behind NATs that are not probed yet. */
  #distant: readonly PathCandidate[] = []
  #distantTimer: NodeJS.Timeout | undefined
  #isTurnScheduled = false
  /** How the lane ends as soon as its last words are heard. */
  #closing: CloseCode | undefined
  #closeTimer: NodeJS.Timeout | undefined
  #isEnded = false
  #datagramsReceived = 0
  readonly #transmit: Transmit = { pathId: 0, length: 0, segmentBytes: 0, isMtuProbe: false }

  constructor(key: string, post: (report: LaneReport) => void) {
    this.#key = key
    this.#post = post
  }

  get isEnded(): boolean {
    return this.#isEnded
  }

  get isStarted(): boolean {
    return this.#connection !== undefined
  }

  get stats(): ConnectionStats | undefined {
    return this.#connection?.stats
  }

  get datagramsReceived(): number {
    return this.#datagramsReceived
  }

  get hasTrains(): boolean {
    return (this.#socket?.trainPackets ?? 1) > 1
  }

  get pathKind(): 'host' | 'observed' | 'peerReflexive' {
    return this.#connection?.activePath?.kind ?? 'peerReflexive'
  }

  /** Binds the socket, so that its port can be offered as a candidate before there are keys. False where that failed. */
  async open(host: string): Promise<boolean> {
    const opened = await UdpSocket.open(host, {
      onRead: (pathId, bytes, length) => this.#onRead(pathId, bytes, length),
      onDrain: () => this.schedule(),
      onTooLarge: (datagramBytes) => {
        this.#connection?.handleTooLarge(nowUs(), datagramBytes)
        this.schedule()
      },
      onTrainsRefused: () => {
        this.#connection?.setTrainPackets(1)
        this.#owner?.onShapeChanged()
        this.schedule()
      },
    })
    if (!opened.ok) {
      this.#post({ type: 'openFailed', key: this.#key, failure: opened.failure })
      return false
    }
    this.#socket = opened.value
    this.#post({ type: 'opened', key: this.#key, port: opened.value.port })
    if (this.#isEnded) opened.value.close()
    return true
  }

  sendRaw(ip: string, port: number, bytes: Uint8Array): void {
    this.#socket?.sendRaw(bytes, { ip, port })
  }

  /** Begins to look for a path. False where the socket is gone. */
  start(
    session: SessionParameters,
    role: 'sender' | 'receiver',
    data: ChunkSource | ChunkSink,
    owner: LaneOwner,
  ): boolean {
    const socket = this.#socket
    if (socket === undefined || this.#isEnded) return false
    assert(this.#connection === undefined, 'a lane starts once')
    this.#owner = owner
    const { trafficSecrets, connectionIds, packetCipher, lane, candidates, profile } = session
    const connection = new Connection({
      lane,
      localConnectionId: role === 'sender' ? connectionIds.sender : connectionIds.receiver,
      remoteConnectionId: role === 'sender' ? connectionIds.receiver : connectionIds.sender,
      keys: connectionKeys(role, packetCipher, trafficSecrets, lane),
      ...('onChunkData' in data ? { sink: data } : { source: data }),
      randomBytes: (count: number) => randomBytes(count),
      nowUs: nowUs(),
      config: { trainPackets: socket.trainPackets, datagramMaxBytes: socket.datagramMaxBytes, profile },
    })
    // The keys' schedule has its own copies.
    trafficSecrets.receiverToSender.fill(0)
    trafficSecrets.senderToReceiver.fill(0)
    connection.setLimit(session.limit ?? Number.POSITIVE_INFINITY)
    this.#connection = connection
    const distant = role === 'sender' ? candidates.filter(({ kind }) => kind === 'observed') : []
    this.#probe(candidates.filter((candidate) => !distant.includes(candidate)))
    if (distant.length === 0) {
      this.schedule()
      return true
    }
    this.#distant = distant
    this.#distantTimer = setTimeout(() => this.#probeDistant(), NAT_WAIT_MS)
    void socket.openNat(distant, randomBytes(PROBE_BYTES)).then(() => this.schedule())
    return true
  }

  writeControl(bytes: Uint8Array): number {
    return this.#connection?.writeControl(bytes) ?? 0
  }

  grantCredit(totalBytes: number): void {
    this.#connection?.grantCredit(totalBytes)
  }

  /** @param limit - bytes a second; null for none. */
  setLimit(limit: number | null): void {
    this.#connection?.setLimit(limit ?? Number.POSITIVE_INFINITY)
    this.schedule()
  }

  /** The source has something again. */
  wake(): void {
    this.#connection?.wake()
    this.schedule()
  }

  /** One turn after all input of this round of the event loop. */
  schedule(): void {
    if (this.#isTurnScheduled || this.#isEnded) return
    this.#isTurnScheduled = true
    setImmediate(() => {
      this.#isTurnScheduled = false
      this.#turn()
    })
  }

  /**
   * Ends the lane from this side. Where it ends for good, what was said on the control stream is acknowledged first: a
   * reason that got lost with its packet would leave the peer waiting. But not for longer than LAST_WORDS_MS.
   */
  close(code: CloseCode): void {
    if (this.#isEnded || this.#closing !== undefined) return
    const mayHaveSaid = HAS_LAST_WORDS.has(code) && this.#connection?.isEstablished === true
    if (mayHaveSaid) this.#closing = code
    this.#turn()
    if (this.#isEnded) return
    if (mayHaveSaid) this.#closeTimer = setTimeout(() => this.#closeNow(code), LAST_WORDS_MS)
    else this.#closeNow(code)
  }

  #closeNow(code: CloseCode): void {
    if (this.#isEnded) return
    this.#connection?.close(code)
    this.#turn()
    this.#end('closedByUs', code)
  }

  /** The peer's bytes made no sense. */
  refuse(): void {
    this.#connection?.close('protocol')
    this.schedule()
  }

  #probe(candidates: readonly PathCandidate[]): void {
    for (const { ip, port, kind } of candidates) {
      const pathId = this.#socket?.pathOf({ ip, port })
      if (pathId !== undefined) this.#connection?.addCandidate(pathId, kind)
    }
  }

  #probeDistant(): void {
    clearTimeout(this.#distantTimer)
    const distant = this.#distant
    if (distant.length === 0 || this.#isEnded) return
    this.#distant = []
    this.#probe(distant)
    this.schedule()
  }

  #onRead(pathId: number, bytes: Uint8Array, length: number): void {
    this.#datagramsReceived += 1
    if (this.#connection === undefined) {
      // Before there are keys only the rendezvous' address service answers on this socket.
      if (looksLikeObserveAnswer(bytes, length)) {
        this.#post({ type: 'raw', key: this.#key, bytes: Uint8Array.from(bytes.subarray(0, length)) })
      }
      return
    }
    this.#connection.handleRead(nowUs(), pathId, bytes, length)
    if (this.#distant.length > 0 && this.#connection.stats.packetsReceived > 0) this.#probeDistant()
    this.schedule()
  }

  #turn(): void {
    const connection = this.#connection
    const socket = this.#socket
    const owner = this.#owner
    if (connection === undefined || socket === undefined || owner === undefined || this.#isEnded) return
    socket.startTurn()
    const now = nowUs()
    if (now >= connection.pollTimeout()) connection.handleTimeout(now)
    this.#drainEvents(connection, owner)
    if (this.#isEnded) return
    owner.pump(now)
    const sent = this.#transmitAll(connection, socket, now)
    this.#drainEvents(connection, owner)
    if (this.#isEnded) return
    const code = this.#closing
    if (code !== undefined && connection.isEstablished && connection.isControlDrained && owner.hasSaidAll) {
      this.#closeNow(code)
    } else if (sent >= TURN_MAX_BYTES) this.schedule()
    else this.#arm(connection, owner)
  }

  /** Sends what may leave now, up to the bound of a turn; how many bytes that were. */
  #transmitAll(connection: Connection, socket: UdpSocket, now: number): number {
    let sent = 0
    while (sent < TURN_MAX_BYTES) {
      const buffer = socket.takeBuffer()
      if (buffer === undefined) return sent
      if (!connection.pollTransmit(now, buffer, this.#transmit)) {
        socket.giveBuffer(buffer)
        return sent
      }
      sent += this.#transmit.length
      socket.send(buffer, this.#transmit)
    }
    return sent
  }

  #arm(connection: Connection, owner: LaneOwner): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer)
    const due = Math.min(connection.pollTimeout(), owner.pollTimeout())
    if (due === Number.POSITIVE_INFINITY) return
    const delayMs = Math.max(0, (due - nowUs()) / 1000)
    // Timers have whole milliseconds; the pacer's tokens follow the real time, so a late timer loses no rate.
    if (delayMs < 0.3) this.schedule()
    else this.#timer = setTimeout(() => this.#turn(), Math.ceil(delayMs))
  }

  #drainEvents(connection: Connection, owner: LaneOwner): void {
    for (;;) {
      const event = connection.pollEvent()
      if (event === undefined) return
      switch (event.type) {
        case 'established':
        case 'pathChanged':
          this.#socket?.keep(event.pathId)
          owner.onPath(event.pathId, event.type === 'established')
          break
        case 'control':
          if (!owner.onControl(event.bytes)) connection.close('protocol')
          break
        case 'mtuChanged':
          owner.onShapeChanged()
          break
        case 'closed':
          this.#end(event.by === 'peer' ? 'closedByPeer' : 'closedByUs', event.code)
          return
        case 'lost':
          this.#end(event.reason, null)
          return
      }
    }
  }

  #end(cause: EndCause, code: CloseCode | null): void {
    if (this.#isEnded) return
    this.#isEnded = true
    if (this.#timer !== undefined) clearTimeout(this.#timer)
    clearTimeout(this.#distantTimer)
    clearTimeout(this.#closeTimer)
    this.#linger(nowUs() + LINGER_MAX_MS * 1000)
    this.#owner?.onEnded(cause, code)
  }

  /** CLOSE is sent a few times more, in case the first one was lost; then the socket goes. */
  #linger(untilUs: number): void {
    const connection = this.#connection
    const socket = this.#socket
    if (socket === undefined) return
    const now = nowUs()
    if (connection === undefined || connection.isDrained || now >= untilUs) {
      socket.close()
      return
    }
    if (now >= connection.pollTimeout()) connection.handleTimeout(now)
    this.#transmitAll(connection, socket, now)
    setTimeout(() => this.#linger(untilUs), LINGER_STEP_MS)
  }
}
