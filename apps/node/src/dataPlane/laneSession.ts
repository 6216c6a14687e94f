/**
 * One session's lane in its worker thread: socket, connection and the transfer's session above it, driven by one run
 * loop: input → `handle*` → drain `poll*` → arm the timer. All I/O of the session hangs here; decisions are the
 * engine's.
 */

import { randomBytes } from 'node:crypto'
import { newCreditCounter } from '@godwit/engine/transfer/credit'
import type { WindowStats } from '@godwit/engine/transfer/ports'
import { ReceiverSession } from '@godwit/engine/transfer/receiverSession'
import { SenderSession } from '@godwit/engine/transfer/senderSession'
import { Connection } from '@godwit/engine/transport/connection'
import type { CloseCode, Transmit } from '@godwit/engine/transport/types'
import { assert } from '@godwit/protocol/assert'
import { ChunkPlan } from '@godwit/protocol/chunkPlan'
import type { RetransmitReason } from '@godwit/protocol/controlMessages'
import type { Failure } from '@godwit/protocol/errors'
import { PROBE_BYTES } from '@godwit/protocol/limits'
import { decodeManifest } from '@godwit/protocol/manifestCodec'
import { type RangePair, RangeSet } from '@godwit/protocol/rangeSet'
import { connectionKeys } from '../crypto/packetProtection.js'
import type { SlabPool } from './bufferPool.js'
import type {
  BeginParameters,
  LaneReport,
  PathCandidate,
  ReceiverParameters,
  SenderParameters,
  SessionParameters,
} from './messages.js'
import { ReceiverDisk } from './receiverDisk.js'
import { SenderDisk } from './senderDisk.js'
import { UdpSocket } from './udpSocket.js'

/** Bytes built in one turn of the loop before I/O gets its turn again. */
const TURN_MAX_BYTES = 512 * 1024
/** Milliseconds that an ended session's socket stays at the most, and between two looks at it. */
const LINGER_MAX_MS = 2000
const LINGER_STEP_MS = 20
/** Bytes that mark what belongs to the rendezvous' address service rather than to the session: see `observe`. */
const RAW_MAX_BYTES = 64
/**
 * Milliseconds that a sender waits for the receiver's first probe before it probes addresses behind NATs itself: only
 * one side may send first, and the receiver is it, since it knows that the sender's NAT is open (docs/protocol/transport.md).
 */
const NAT_WAIT_MS = 2000

const nowUs = (): number => Math.floor(performance.now() * 1000)

type Ended = Extract<LaneReport, { type: 'ended' }>

export class LaneSession {
  readonly #key: string
  readonly #pool: SlabPool
  readonly #post: (report: LaneReport) => void
  readonly #onEnded: () => void
  #socket: UdpSocket | undefined
  #connection: Connection | undefined
  #sender: SenderSession | undefined
  #receiver: ReceiverSession | undefined
  #senderDisk: SenderDisk | undefined
  #receiverDisk: ReceiverDisk | undefined
  #timer: NodeJS.Timeout | undefined
  /** Addresses behind NATs that are not probed yet. */
  #distant: readonly PathCandidate[] = []
  #distantTimer: NodeJS.Timeout | undefined
  #isTurnScheduled = false
  #isEnded = false
  #wasEstablished = false
  #datagramsReceived = 0
  /** Counters at the last window, so that a report carries differences. */
  #lastWindow = { atUs: nowUs(), lost: 0, retransmitted: 0, corrupted: 0 }
  readonly #transmit: Transmit = { pathId: 0, length: 0, segmentBytes: 0, isMtuProbe: false }

  constructor(key: string, pool: SlabPool, post: (report: LaneReport) => void, onEnded: () => void) {
    this.#key = key
    this.#pool = pool
    this.#post = post
    this.#onEnded = onEnded
  }

  /** Binds the socket, so that its port can be offered as a candidate before there are keys. */
  async open(host: string): Promise<void> {
    const opened = await UdpSocket.open(host, {
      onRead: (pathId, bytes, length) => this.#onRead(pathId, bytes, length),
      onDrain: () => this.#schedule(),
      onTooLarge: (datagramBytes) => {
        this.#connection?.handleTooLarge(nowUs(), datagramBytes)
        this.#schedule()
      },
      onTrainsRefused: () => {
        this.#connection?.setTrainPackets(1)
        this.#schedule()
      },
    })
    if (!opened.ok) {
      this.#post({ type: 'openFailed', key: this.#key, failure: opened.failure })
      this.#onEnded()
      return
    }
    this.#socket = opened.value
    this.#post({ type: 'opened', key: this.#key, port: this.#socket.port })
    if (this.#isEnded) this.#socket.close()
  }

  sendRaw(ip: string, port: number, bytes: Uint8Array): void {
    this.#socket?.sendRaw(bytes, { ip, port })
  }

  start(session: SessionParameters, transfer: SenderParameters | ReceiverParameters): void {
    const socket = this.#socket
    if (socket === undefined || this.#isEnded) return
    assert(this.#connection === undefined, 'a session starts once')
    const stream = { writeControl: (bytes: Uint8Array): number => this.#connection?.writeControl(bytes) ?? 0 }
    if (transfer.role === 'sender') this.#startSender(transfer, stream)
    else this.#startReceiver(stream)
    const { role } = transfer
    const { trafficSecrets, connectionIds } = session
    const connection = new Connection({
      lane: session.lane,
      localConnectionId: role === 'sender' ? connectionIds.sender : connectionIds.receiver,
      remoteConnectionId: role === 'sender' ? connectionIds.receiver : connectionIds.sender,
      keys: connectionKeys(role, session.packetCipher, trafficSecrets, session.lane),
      ...(this.#sender === undefined ? {} : { source: this.#sender.source }),
      ...(this.#receiver === undefined ? {} : { sink: this.#receiver }),
      randomBytes: (count: number) => randomBytes(count),
      nowUs: nowUs(),
      config: { trainPackets: socket.trainPackets, datagramMaxBytes: socket.datagramMaxBytes },
    })
    connection.setLimit(session.limit ?? Number.POSITIVE_INFINITY)
    this.#connection = connection
    const distant = role === 'sender' ? session.candidates.filter(({ kind }) => kind === 'observed') : []
    this.#probe(session.candidates.filter((candidate) => !distant.includes(candidate)))
    if (distant.length === 0) {
      this.#schedule()
      return
    }
    this.#distant = distant
    this.#distantTimer = setTimeout(() => this.#probeDistant(), NAT_WAIT_MS)
    void socket.openNat(distant, randomBytes(PROBE_BYTES)).then(() => this.#schedule())
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
    this.#schedule()
  }

  async begin(begin: BeginParameters): Promise<void> {
    const disk = new ReceiverDisk(begin, {
      onChunkWritten: (chunk, outcome) => this.#receive((session) => session.onChunkWritten(chunk, outcome)),
      onCheckpoint: (ranges) => this.#receive((session) => session.onCheckpoint(ranges)),
      onFileVerified: (file, damaged) => this.#receive((session) => session.onFileVerified(file, damaged)),
      onFinalized: (failure) => this.#receive((session) => session.onFinalized(failure)),
      onFilesCompleted: (first, count) => this.#post({ type: 'filesCompleted', key: this.#key, first, count }),
      onFiles: (files) => this.#post({ type: 'files', key: this.#key, files }),
    })
    this.#receiverDisk = disk
    const opened = await disk.open()
    if (this.#isEnded) {
      await disk.close()
      return
    }
    if (!opened.ok) {
      this.#receiver?.fail(opened.failure)
      this.#reportReceiver({ type: 'failed', failure: opened.failure })
      this.#schedule()
      return
    }
    const { held, isResumed, isFinalizing } = opened.value
    this.#post({ type: 'begun', key: this.#key, held: held.toPairs(), isResumed })
    if (isFinalizing) this.#receive((session) => session.resumeFinalizing())
    else this.#receive((session) => session.begin(disk.plan, held, []))
  }

  decline(): void {
    this.#receive((session) => session.decline())
  }

  confirmDurable(ranges: readonly (readonly [number, number])[]): void {
    this.#receive((session) => session.confirmDurable(ranges))
  }

  requestRetransmit(
    ranges: readonly (readonly [number, number])[],
    reason: 'hashMismatch' | 'stagingDamaged' | 'sessionBroken',
  ): void {
    this.#receive((session) => session.requestRetransmit(ranges, reason))
  }

  requeue(ranges: readonly RangePair[], reason: RetransmitReason): void {
    this.#send((session) => session.requeue(ranges, reason))
  }

  confirmCompletion(): void {
    this.#send((session) => session.confirmCompletion())
  }

  announceFiles(first: number, count: number): void {
    this.#receive((session) => session.announceFiles(first, count))
  }

  announceCompletion(bytes: number, milliseconds: number): void {
    this.#receive((session) => session.announceCompletion(bytes, milliseconds))
  }

  setLimit(limit: number | null): void {
    this.#connection?.setLimit(limit ?? Number.POSITIVE_INFINITY)
    this.#schedule()
  }

  fail(failure: Failure): void {
    this.#sender?.fail(failure)
    this.#receiver?.fail(failure)
    this.#schedule()
  }

  /** Ends the session from this side; what is queued on the control stream is sent first as far as it goes at once. */
  close(code: CloseCode): void {
    if (this.#isEnded) return
    if (this.#connection === undefined) {
      this.#end('closedByUs', code)
      return
    }
    this.#turn()
    this.#connection.close(code)
    this.#turn()
    this.#end('closedByUs', code)
  }

  #startSender(transfer: SenderParameters, stream: { writeControl(bytes: Uint8Array): number }): void {
    const decoded = decodeManifest(transfer.manifest)
    assert(decoded.ok, 'our own manifest can be decoded')
    const plan = ChunkPlan.of(decoded.value)
    const disk = new SenderDisk(transfer.sources, plan, {
      onChunkRead: (chunk, hash) => this.#send((session) => session.onChunkRead(chunk, hash)),
      onFileHashed: (file, hash, wasAsked) => this.#send((session) => session.onFileHashed(file, hash, wasAsked)),
      onReadFailed: (chunk, failure) => this.#send((session) => session.onReadFailed(chunk, failure)),
    })
    this.#senderDisk = disk
    this.#sender = new SenderSession({
      plan,
      manifest: transfer.manifest,
      pool: this.#pool,
      io: disk,
      stream,
      knownHash: (file) => {
        const hash = transfer.fileHashes.subarray(file * 32, file * 32 + 32)
        return hash.some((byte) => byte !== 0) ? hash : undefined
      },
      report: (report) =>
        this.#post({ type: 'sender', key: this.#key, report, stats: this.#windowStats(report.type === 'durable') }),
    })
  }

  #startReceiver(stream: { writeControl(bytes: Uint8Array): number }): void {
    this.#receiver = new ReceiverSession({
      creditCounter: newCreditCounter(),
      pool: this.#pool,
      io: {
        writeChunk: (chunk, buffer, length, hash) => this.#disk().writeChunk(chunk, buffer, length, hash),
        checkpoint: () => this.#disk().checkpoint(),
        verifyFile: (file, hash) => this.#disk().verifyFile(file, hash),
        finalize: () => this.#disk().finalize(),
      },
      stream,
      grant: (totalBytes) => this.#connection?.grantCredit(totalBytes),
      report: (report) => this.#reportReceiver(report),
    })
  }

  #disk(): ReceiverDisk {
    assert(this.#receiverDisk !== undefined, 'chunks are written after the staging was opened')
    return this.#receiverDisk
  }

  #reportReceiver(report: Extract<LaneReport, { type: 'receiver' }>['report']): void {
    const stats = this.#windowStats(report.type === 'checkpoint')
    this.#post({ type: 'receiver', key: this.#key, report, stats })
  }

  #send(act: (session: SenderSession) => void): void {
    if (this.#sender === undefined || this.#isEnded) return
    act(this.#sender)
    this.#connection?.wake()
    this.#schedule()
  }

  #receive(act: (session: ReceiverSession) => void): void {
    if (this.#receiver === undefined) return
    this.#receiver.setNow(nowUs())
    act(this.#receiver)
    if (!this.#isEnded) this.#schedule()
  }

  #onRead(pathId: number, bytes: Uint8Array, length: number): void {
    this.#datagramsReceived += 1
    if (this.#connection === undefined) {
      // Before there are keys only the rendezvous' address service answers on this socket.
      if (length <= RAW_MAX_BYTES)
        this.#post({ type: 'raw', key: this.#key, bytes: Uint8Array.from(bytes.subarray(0, length)) })
      return
    }
    this.#connection.handleRead(nowUs(), pathId, bytes, length)
    if (this.#distant.length > 0 && this.#connection.stats.packetsReceived > 0) this.#probeDistant()
    this.#schedule()
  }

  /** One turn after all input of this round of the event loop. */
  #schedule(): void {
    if (this.#isTurnScheduled || this.#isEnded) return
    this.#isTurnScheduled = true
    setImmediate(() => {
      this.#isTurnScheduled = false
      this.#turn()
    })
  }

  #turn(): void {
    const connection = this.#connection
    const socket = this.#socket
    if (connection === undefined || socket === undefined || this.#isEnded) return
    socket.startTurn()
    const now = nowUs()
    if (now >= connection.pollTimeout()) connection.handleTimeout(now)
    if (this.#receiver !== undefined && now >= this.#receiver.pollTimeout()) this.#receiver.onTimeout(now)
    this.#drainEvents(connection)
    if (this.#isEnded) return
    this.#sender?.pump()
    this.#receiver?.pump()
    const sent = this.#transmitAll(connection, socket, now)
    this.#drainEvents(connection)
    if (this.#isEnded) return
    if (sent >= TURN_MAX_BYTES) this.#schedule()
    else this.#arm()
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

  #arm(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer)
    const due = Math.min(
      this.#connection?.pollTimeout() ?? Number.POSITIVE_INFINITY,
      this.#receiver?.pollTimeout() ?? Number.POSITIVE_INFINITY,
    )
    if (due === Number.POSITIVE_INFINITY) return
    const delayMs = Math.max(0, (due - nowUs()) / 1000)
    // Timers have whole milliseconds; the pacer's tokens follow the real time, so a late timer loses no rate.
    if (delayMs < 0.3) this.#schedule()
    else this.#timer = setTimeout(() => this.#turn(), Math.ceil(delayMs))
  }

  #drainEvents(connection: Connection): void {
    for (;;) {
      const event = connection.pollEvent()
      if (event === undefined) return
      switch (event.type) {
        case 'established':
        case 'pathChanged':
          this.#onPath(event.pathId, event.type === 'established')
          break
        case 'control': {
          const isSound = this.#sender?.onControl(event.bytes) ?? this.#receiver?.onControl(event.bytes) ?? false
          if (!isSound) connection.close('protocol')
          break
        }
        case 'mtuChanged':
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

  #onPath(pathId: number, isFirst: boolean): void {
    this.#socket?.keep(pathId)
    if (!isFirst) return
    this.#wasEstablished = true
    this.#post({
      type: 'established',
      key: this.#key,
      path: this.#connection?.activePath?.kind ?? 'peerReflexive',
      family: 'ipv4',
      mtu: this.#connection?.stats.datagramBytes ?? 0,
      trains: (this.#socket?.trainPackets ?? 1) > 1,
    })
    this.#sender?.onEstablished()
  }

  #windowStats(isWindow: boolean): WindowStats {
    const stats = this.#connection?.stats
    const last = this.#lastWindow
    const atUs = nowUs()
    const lost = stats?.packetsLost ?? 0
    const retransmitted = stats?.bytesRetransmitted ?? 0
    const corrupted = stats?.packetsCorrupted ?? 0
    const window = {
      sinceMs: Math.max(1, Math.round((atUs - last.atUs) / 1000)),
      rttUs: Math.round(stats?.rttUs ?? 0),
      lost: lost - last.lost,
      retransmitted: retransmitted - last.retransmitted,
      corrupted: corrupted - last.corrupted,
    }
    if (isWindow) this.#lastWindow = { atUs, lost, retransmitted, corrupted }
    return window
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

  #end(cause: Ended['cause'], code: CloseCode | null): void {
    if (this.#isEnded) return
    this.#isEnded = true
    if (this.#timer !== undefined) clearTimeout(this.#timer)
    clearTimeout(this.#distantTimer)
    const partial = this.#receiver?.partial() ?? new RangeSet()
    this.#sender?.stop()
    this.#receiver?.stop()
    const post = (): void => {
      this.#post({
        type: 'ended',
        key: this.#key,
        cause,
        code,
        partial: partial.toPairs(),
        wasEstablished: this.#wasEstablished,
        datagramsReceived: this.#datagramsReceived,
      })
      this.#onEnded()
    }
    this.#linger(nowUs() + LINGER_MAX_MS * 1000)
    // Files are closed before the end is told: the next session may open them at once.
    Promise.all([this.#senderDisk?.close(), this.#receiverDisk?.close()]).then(post, (error: unknown) => {
      setImmediate(() => {
        throw error
      })
    })
  }
}
