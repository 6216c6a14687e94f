/**
 * A connection: one lane of one session, as a value without I/O. It puts the mechanisms of this folder together and
 * decides when a packet may leave; each mechanism has its own file. The surface is described in `types.ts`.
 *
 * The driver's loop: `handle*` or a command; drain `pollTransmit`; drain `pollEvent`; arm one timer for `pollTimeout`.
 */
import { assert } from '@godwit/protocol/assert'
import { FRAME_CLOSE, writeNumberFrame } from '@godwit/protocol/frames'
import {
  DATAGRAM_MAX_BYTES,
  DATAGRAM_MIN_BYTES,
  PACKET_HEADER_BYTES,
  PACKET_TAG_BYTES,
  PROBE_BYTES,
  TRAIN_MAX_PACKETS,
} from '@godwit/protocol/limits'
import { CONNECTION_ID_BYTES, writePacketHeader } from '@godwit/protocol/packet'
import type { ConnectionKeys } from '../ports/packetProtection.js'
import { closeCodeOf, closeNumberOf } from './closeCodes.js'
import { CONNECTION_DEFAULTS, type ConnectionConfig } from './config.js'
import type { CongestionController } from './congestion/controller.js'
import { Cubic } from './congestion/cubic.js'
import { FrameHandler } from './frameHandler.js'
import { SendKeys } from './keyUpdate.js'
import { Pacer } from './pacer.js'
import { PacketFiller } from './packetFiller.js'
import { PacketOpener } from './packetOpener.js'
import { type PathChange, Paths } from './paths.js'
import { Recovery } from './recovery.js'
import type {
  BytesPerSecond,
  ChunkSink,
  ChunkSource,
  CloseCode,
  ConnectionEvent,
  ConnectionStats,
  PathKind,
  Transmit,
} from './types.js'

/** Packets after which the peer is told how often to acknowledge: short sessions are not worth the frame. */
const ACK_FREQUENCY_AFTER_PACKETS = 32
/** Probe timeouts after which the path is suspected. */
const SUSPECT_AFTER_PTOS = 2
/** A closed connection says so this often, a probe timeout apart; nobody acknowledges it (RFC 9000 §10.2). */
const CLOSE_PACKETS = 3
/** Packet numbers kept for the last words of a connection that has used them up. */
const PACKET_NUMBER_RESERVE = 16

export interface ConnectionOptions {
  readonly lane: number
  /** The id that the peer's packets carry, 8 bytes. */
  readonly localConnectionId: Uint8Array
  /** The id that our packets carry, 8 bytes. */
  readonly remoteConnectionId: Uint8Array
  readonly keys: ConnectionKeys
  /** Where chunks to send come from; without it the connection sends none. */
  readonly source?: ChunkSource
  /** Where received chunks go; without it chunk frames break the protocol. */
  readonly sink?: ChunkSink
  /** Unpredictable bytes, for challenges. */
  readonly randomBytes: (count: number) => Uint8Array
  /** Microseconds of the monotonic clock that all later calls use. */
  readonly nowUs: number
  readonly config?: Partial<ConnectionConfig>
}

type State = 'open' | 'closing' | 'ended'

export class Connection {
  readonly #lane: number
  readonly #remoteConnectionId: Uint8Array
  readonly #config: ConnectionConfig
  readonly #sendKeys: SendKeys
  readonly #opener: PacketOpener
  readonly #filler: PacketFiller
  readonly #controller: CongestionController
  readonly #recovery: Recovery
  readonly #pacer: Pacer
  readonly #paths: Paths
  readonly #frames: FrameHandler
  readonly #events: ConnectionEvent[] = []
  readonly #startUs: number

  #state: State = 'open'
  #nowUs: number
  #datagramBytes: number
  #lastReceivedUs: number
  #keepAliveAtUs: number
  /** When the pacer lets the next packet go; Infinity where it holds none back. */
  #pacedUntilUs = Number.POSITIVE_INFINITY
  #closeNumber = 0
  #isClosePending = false
  /** CLOSE packets that the timer still sends, and when. */
  #closesLeft = CLOSE_PACKETS
  #closeAtUs = 0
  /** Packets that came after the end: the 1st, 2nd, 4th, 8th … are answered with CLOSE at once. */
  #packetsAfterClose = 0
  #packetsSent = 0
  #bytesSent = 0

  constructor(options: ConnectionOptions) {
    const config = { ...CONNECTION_DEFAULTS, ...options.config }
    assert(options.localConnectionId.length === CONNECTION_ID_BYTES, 'a connection id has 8 bytes')
    assert(options.remoteConnectionId.length === CONNECTION_ID_BYTES, 'a connection id has 8 bytes')
    assert(config.trainPackets >= 1 && config.trainPackets <= TRAIN_MAX_PACKETS, 'a train has 1 to 64 packets')
    assert(config.datagramBytes >= DATAGRAM_MIN_BYTES, 'a datagram has at least 1,200 bytes')
    assert(config.datagramBytes <= DATAGRAM_MAX_BYTES, 'a datagram has at most 65,507 bytes')
    this.#lane = options.lane
    this.#remoteConnectionId = options.remoteConnectionId
    this.#config = config
    this.#nowUs = options.nowUs
    this.#startUs = options.nowUs
    this.#lastReceivedUs = options.nowUs
    this.#keepAliveAtUs = options.nowUs + config.keepAliveUs
    this.#datagramBytes = config.datagramBytes
    this.#sendKeys = new SendKeys(options.keys.send, config.keyUpdatePackets)
    this.#filler = new PacketFiller(
      options.source,
      config.controlWindowBytes,
      config.inFlightMaxPackets,
      config.trainPackets * config.datagramBytes,
    )
    this.#controller = new Cubic(config.datagramBytes)
    this.#recovery = new Recovery(this.#controller, this.#filler, config.inFlightMaxPackets)
    this.#filler.packets = this.#recovery.packets
    this.#pacer = new Pacer(options.nowUs, config.limit)
    this.#paths = new Paths(options.randomBytes, config.pathTimeoutUs)
    this.#frames = new FrameHandler({
      source: options.source,
      sink: options.sink,
      filler: this.#filler,
      recovery: this.#recovery,
      paths: this.#paths,
    })
    this.#opener = new PacketOpener(options.localConnectionId, options.lane, options.keys.receive, this)
  }

  // Getters

  /** Whether a path has answered and the connection has not ended: data may flow. */
  get isEstablished(): boolean {
    return this.#state === 'open' && this.#paths.active !== undefined
  }

  /** Whether 'closed' or 'lost' was announced. */
  get isClosed(): boolean {
    return this.#state !== 'open'
  }

  /** Whether the connection has nothing left to do, not even to answer with CLOSE: it may be thrown away. */
  get isDrained(): boolean {
    return this.#state === 'ended'
  }

  /** The path that carries the data; undefined before one has answered. */
  get activePath(): { readonly id: number; readonly kind: PathKind } | undefined {
    return this.#paths.active
  }

  /** Whether a path id means something to this connection; the driver may give others to new addresses. */
  knowsPath(pathId: number): boolean {
    return this.#paths.has(pathId)
  }

  /** Bytes that `writeControl` takes now. */
  get controlSendRoom(): number {
    return this.#state === 'open' ? this.#filler.controlSender.room : 0
  }

  /** Whether the peer has acknowledged everything that was written to the control stream. */
  get isControlDrained(): boolean {
    return this.#filler.controlSender.isDrained
  }

  get stats(): ConnectionStats {
    const { rtt } = this.#recovery
    return {
      packetsSent: this.#packetsSent,
      packetsReceived: this.#opener.packetsReceived,
      packetsLost: this.#recovery.packetsLost,
      packetsCorrupted: this.#opener.packetsCorrupted,
      packetsDropped: this.#opener.packetsDropped,
      bytesSent: this.#bytesSent,
      bytesReceived: this.#opener.bytesReceived,
      bytesRetransmitted: this.#filler.bytesRetransmitted,
      rttUs: Math.round(rtt.smoothedUs),
      minRttUs: rtt.hasSample ? rtt.minUs : Math.round(rtt.smoothedUs),
      cwndBytes: Math.floor(this.#controller.cwndBytes),
      bytesInFlight: this.#recovery.bytesInFlight,
      datagramBytes: this.#datagramBytes,
      keyEpoch: this.#sendKeys.epoch,
    }
  }

  /** Entries of the structures that grow, for tests of the bounds on memory. */
  get memory(): { readonly packets: number; readonly lostSegments: number; readonly events: number } {
    return {
      packets: this.#recovery.packets.capacity,
      lostSegments: this.#filler.lostCapacity,
      events: this.#events.length,
    }
  }

  // Commands

  /** Begins to probe an address of the peer. False where there are too many (CANDIDATES_MAX). */
  addCandidate(pathId: number, kind: PathKind = 'host'): boolean {
    return this.#state === 'open' && this.#paths.addCandidate(this.#nowUs, pathId, kind)
  }

  /** Copies as much of `bytes` into the control stream as there is room for, and returns how much that was. */
  writeControl(bytes: Uint8Array): number {
    return this.#state === 'open' ? this.#filler.controlSender.write(bytes) : 0
  }

  /** Grants the peer bytes of chunks, counted from the beginning of the session. */
  grantCredit(totalBytes: number): void {
    this.#filler.grantCredit(totalBytes)
  }

  /** Caps the rate of everything that this connection sends; Infinity for no limit. */
  setLimit(bytesPerSecond: BytesPerSecond): void {
    assert(bytesPerSecond > 0, 'a limit lets something pass')
    this.#pacer.setLimit(bytesPerSecond)
  }

  /** The source has something again. */
  wake(): void {
    this.#filler.wake()
  }

  /** Datagrams are no larger than this from now on (EMSGSIZE, or what the interface says). */
  setDatagramLimit(bytes: number): void {
    const limited = Math.max(DATAGRAM_MIN_BYTES, Math.min(bytes, this.#config.datagramBytes))
    if (limited === this.#datagramBytes) return
    this.#datagramBytes = limited
    this.#controller.onDatagramBytes(limited)
    this.#emit({ type: 'mtuChanged', datagramBytes: limited })
  }

  /** Ends the connection: 'closed' is announced, and `pollTransmit` has a last packet for the peer. */
  close(code: CloseCode): void {
    if (this.#state !== 'open') return
    this.#emit({ type: 'closed', by: 'us', code })
    this.#closeNumber = closeNumberOf(code)
    this.#isClosePending = this.#paths.active !== undefined
    this.#state = this.#isClosePending ? 'closing' : 'ended'
    this.#closeAtUs = this.#nowUs
  }

  // Input

  /** One datagram that is one packet, `buffer[start, start + length)`. It is opened in place. */
  handleDatagram(nowUs: number, pathId: number, buffer: Uint8Array, start: number, length: number): void {
    this.#nowUs = nowUs
    if (this.#state !== 'ended') this.#opener.openDatagram(nowUs, pathId, buffer, start, length)
  }

  /** One read, `buffer[0, length)`: one datagram or several that the kernel joined. It is opened in place. */
  handleRead(nowUs: number, pathId: number, buffer: Uint8Array, length: number): void {
    this.#nowUs = nowUs
    if (this.#state !== 'ended') this.#opener.openRead(nowUs, pathId, buffer, length)
  }

  /** The time that `pollTimeout` named has come. Earlier or later does no harm. */
  handleTimeout(nowUs: number): void {
    this.#nowUs = nowUs
    if (this.#state === 'closing' && nowUs >= this.#closeAtUs) {
      if (this.#closesLeft > 0) this.#isClosePending = true
      else this.#state = 'ended'
    }
    if (this.#state !== 'open') return
    if (nowUs >= this.#lastReceivedUs + this.#config.idleTimeoutUs) {
      this.#lose(this.#paths.active === undefined ? 'noPath' : 'idle')
    } else if (this.#paths.active === undefined) {
      if (nowUs >= this.#startUs + this.#config.pathTimeoutUs) this.#lose('noPath')
    } else {
      if (this.#recovery.onTimeout(nowUs, this.#filler.ackFrequency.peerMaxAckDelayUs)) this.#onProbeTimeout(nowUs)
      if (nowUs >= this.#keepAliveAtUs) {
        this.#keepAliveAtUs = nowUs + this.#config.keepAliveUs
        this.#filler.ping()
      }
    }
  }

  /** An authentic packet: called by the packet opener only. */
  onPacket(nowUs: number, pathId: number, packetNumber: number, buffer: Uint8Array, start: number, end: number): void {
    if (this.#state === 'closing') {
      this.#packetsAfterClose += 1
      if ((this.#packetsAfterClose & (this.#packetsAfterClose - 1)) === 0) this.#isClosePending = true
    }
    if (this.#state !== 'open') return
    this.#lastReceivedUs = nowUs
    const isNewest = packetNumber > this.#opener.highest
    // The path is made known first, so that a challenge in the packet finds it.
    this.#onPathChange(this.#paths.onPacket(nowUs, pathId, packetNumber, false, isNewest))
    const verdict = this.#frames.handle(nowUs, pathId, buffer, start, end)
    if (verdict === 'closed') {
      this.#state = 'ended'
      this.#emit({ type: 'closed', by: 'peer', code: closeCodeOf(this.#frames.closeNumber) })
      return
    }
    if (verdict === 'protocol') {
      this.close('protocol')
      return
    }
    this.#filler.acks.onPacket(nowUs, packetNumber, this.#frames.isAckEliciting)
    if (this.#frames.hasContent) {
      this.#onPathChange(this.#paths.onPacket(nowUs, pathId, packetNumber, true, isNewest))
    }
    if (this.#frames.responseStart >= 0) this.#onResponse(nowUs, buffer, this.#frames.responseStart)
  }

  // Output

  /**
   * Fills `out` with the next datagram or train and `result` with where it goes; false when nothing may leave now. Call
   * until false. `out` holds at least one datagram; it is the caller's again after the call.
   */
  pollTransmit(nowUs: number, out: Uint8Array, result: Transmit): boolean {
    this.#nowUs = nowUs
    result.isMtuProbe = false
    if (this.#state === 'closing') return this.#transmitClose(nowUs, out, result)
    if (this.#state !== 'open') return false
    this.#pacedUntilUs = Number.POSITIVE_INFINITY
    if (this.#recovery.packets.next + PACKET_NUMBER_RESERVE > this.#config.packetNumberMax || this.#opener.isWornOut) {
      this.#lose('packetNumbersUsedUp')
      return false
    }
    const probePath = this.#recovery.packets.hasUntrackedRoom() ? this.#paths.due(nowUs) : -1
    if (probePath >= 0) return this.#transmitProbe(nowUs, probePath, out, result)
    const active = this.#paths.active
    if (active === undefined) return false
    const { rtt, packets } = this.#recovery
    this.#pacer.refill(nowUs, this.#controller.pacingRate(rtt.smoothedUs), this.#datagramBytes)
    if (packets.next >= ACK_FREQUENCY_AFTER_PACKETS && packets.inFlight > 0) {
      this.#filler.ackFrequency.update(nowUs, this.#controller.cwndBytes, this.#datagramBytes, rtt.smoothedUs)
    }
    const length = this.#fillTrain(nowUs, out)
    if (length === 0) return false
    result.pathId = active.id
    result.length = length
    result.segmentBytes = Math.min(length, this.#datagramBytes)
    return true
  }

  /** When `handleTimeout` is due; Infinity for never. Ask after `pollTransmit` was drained. */
  pollTimeout(): number {
    if (this.#state === 'closing') return this.#closeAtUs
    if (this.#state === 'ended') return Number.POSITIVE_INFINITY
    const idleUs = this.#lastReceivedUs + this.#config.idleTimeoutUs
    if (this.#paths.active === undefined) {
      return Math.min(this.#paths.nextUs, this.#startUs + this.#config.pathTimeoutUs, idleUs)
    }
    const { acks, ackFrequency } = this.#filler
    return Math.min(
      idleUs,
      this.#paths.nextUs,
      this.#recovery.timeoutUs(ackFrequency.peerMaxAckDelayUs),
      this.#recovery.packets.hasUntrackedRoom() ? acks.deadlineUs : Number.POSITIVE_INFINITY,
      this.#pacedUntilUs,
      this.#keepAliveAtUs,
    )
  }

  /** The next event; undefined when there are no more. Bytes in it are valid until the next call of any method. */
  pollEvent(): ConnectionEvent | undefined {
    // What the peer said before it closed is delivered before the end is announced.
    const bytes = this.#events[0]?.type === 'established' ? undefined : this.#filler.controlReceiver.read()
    return bytes === undefined ? this.#events.shift() : { type: 'control', bytes }
  }

  // Internal

  #fillTrain(nowUs: number, out: Uint8Array): number {
    const segmentBytes = this.#datagramBytes
    const packets = Math.min(
      this.#config.trainPackets,
      Math.floor(Math.min(out.length, DATAGRAM_MAX_BYTES) / segmentBytes),
    )
    assert(packets >= 1, 'the buffer holds at least one datagram')
    let length = 0
    for (let i = 0; i < packets; i++) {
      const size = this.#fillPacket(nowUs, out, length, segmentBytes)
      length += size
      if (size < segmentBytes) break
    }
    return length
  }

  /** Builds and seals one packet of at most `maxBytes` at `at`; returns its size, 0 where nothing may leave. */
  #fillPacket(nowUs: number, out: Uint8Array, at: number, maxBytes: number): number {
    const { packets, probesToSend } = this.#recovery
    const isProbing = probesToSend > 0
    let mayElicit = packets.hasRoom()
    if (mayElicit && !isProbing) mayElicit = this.#recovery.bytesInFlight + maxBytes <= this.#controller.cwndBytes
    let hasWork = mayElicit && this.#filler.hasWork()
    if (mayElicit && !hasWork) {
      if (isProbing) {
        // A probe with nothing to say still asks for an acknowledgement.
        this.#filler.ping()
        hasWork = true
      } else {
        this.#recovery.deliveryRate.onAppLimited(this.#recovery.bytesInFlight)
      }
    }
    if (hasWork && !isProbing && !this.#pacer.allows(maxBytes)) {
      this.#pacedUntilUs = this.#pacer.nextUs(nowUs, maxBytes)
      hasWork = false
    }
    if (!hasWork && !(this.#filler.acks.isDue(nowUs) && packets.hasUntrackedRoom())) return 0
    const start = at + PACKET_HEADER_BYTES
    const end = this.#filler.fill(nowUs, out, start, at + maxBytes - PACKET_TAG_BYTES, hasWork)
    if (end === start) return 0
    const size = this.#seal(out, at, end)
    if (this.#filler.isAckEliciting) {
      this.#recovery.onSent(nowUs, size)
      this.#keepAliveAtUs = nowUs + this.#config.keepAliveUs
    } else {
      packets.onSentUntracked()
    }
    this.#pacer.onSent(size)
    return size
  }

  /** Seals the packet at `at` whose frames end at `end` under the next packet number; returns its size. */
  #seal(out: Uint8Array, at: number, end: number): number {
    const packetNumber = this.#recovery.packets.next
    this.#sendKeys.prepare(packetNumber, this.#recovery.detector.largestAcked)
    const plaintextBytes = end - at - PACKET_HEADER_BYTES
    const size = end - at + PACKET_TAG_BYTES
    writePacketHeader(out, at, this.#sendKeys.epoch, this.#lane, size, this.#remoteConnectionId, packetNumber)
    this.#sendKeys.protection.seal(out, at, PACKET_HEADER_BYTES, plaintextBytes, packetNumber)
    this.#packetsSent += 1
    this.#bytesSent += size
    return size
  }

  #transmitProbe(nowUs: number, pathId: number, out: Uint8Array, result: Transmit): boolean {
    const end = PROBE_BYTES - PACKET_TAG_BYTES
    const filled = this.#paths.write(nowUs, pathId, out, PACKET_HEADER_BYTES)
    out.fill(0, filled, end)
    result.pathId = pathId
    result.length = this.#seal(out, 0, end)
    result.segmentBytes = result.length
    this.#recovery.packets.onSentUntracked()
    return true
  }

  #transmitClose(nowUs: number, out: Uint8Array, result: Transmit): boolean {
    const active = this.#paths.active
    if (!this.#isClosePending || active === undefined) return false
    this.#isClosePending = false
    if (nowUs >= this.#closeAtUs) {
      this.#closesLeft -= 1
      this.#closeAtUs = nowUs + this.#recovery.rtt.ptoUs(0)
    }
    if (!this.#recovery.packets.hasUntrackedRoom()) return false
    const end = writeNumberFrame(out, PACKET_HEADER_BYTES, FRAME_CLOSE, this.#closeNumber)
    result.pathId = active.id
    result.length = this.#seal(out, 0, end)
    result.segmentBytes = result.length
    this.#recovery.packets.onSentUntracked()
    return true
  }

  #onProbeTimeout(nowUs: number): void {
    if (this.#recovery.ptoCount >= SUSPECT_AFTER_PTOS) this.#paths.suspect(nowUs)
  }

  #onResponse(nowUs: number, buffer: Uint8Array, start: number): void {
    const change = this.#paths.onResponse(nowUs, buffer, start)
    this.#onPathChange(change)
    // The only round trip known so far: it paces the first window.
    const { rtt } = this.#recovery
    if (change !== 'none' && !rtt.hasSample) rtt.update(this.#paths.responseRttUs, 0)
  }

  #onPathChange(change: PathChange): void {
    const active = this.#paths.active
    if (change === 'none' || active === undefined) return
    if (change === 'changed') {
      this.#recovery.onPathChange()
      this.#emit({ type: 'pathChanged', pathId: active.id })
    } else {
      this.#emit({ type: 'established', pathId: active.id })
    }
  }

  #lose(reason: 'noPath' | 'idle' | 'packetNumbersUsedUp'): void {
    this.#state = 'ended'
    this.#emit({ type: 'lost', reason })
  }

  #emit(event: ConnectionEvent): void {
    this.#events.push(event)
  }
}
