/**
 * A connection: one lane of one session, as a value without I/O. It puts the mechanisms of this folder together and
 * decides when a packet may leave; each mechanism has its own file. The surface is described in `types.ts`.
 *
 * The driver's loop: `handle*` or a command; drain `pollTransmit`; drain `pollEvent`; arm one timer for `pollTimeout`.
 */
import { assert } from '@godwit/protocol/assert'
import { FRAME_CLOSE, FRAME_PING, writeNumberFrame } from '@godwit/protocol/frames'
import {
  DATAGRAM_MAX_BYTES,
  DATAGRAM_MIN_BYTES,
  PACKET_HEADER_BYTES,
  PACKET_TAG_BYTES,
  PROBE_BYTES,
  TRAIN_MAX_PACKETS,
} from '@godwit/protocol/limits'
import { CONNECTION_ID_BYTES } from '@godwit/protocol/packet'
import { NO_BODIES } from '../ports/packetProtection.js'
import { closeCodeOf, closeNumberOf } from './closeCodes.js'
import { Closing } from './closing.js'
import { CONNECTION_DEFAULTS, type ConnectionConfig, type ConnectionOptions } from './config.js'
import type { CongestionController } from './congestion/controller.js'
import { controllerFor } from './congestion/profile.js'
import { FrameHandler } from './frameHandler.js'
import { MtuSearch } from './mtuSearch.js'
import { Pacer } from './pacer.js'
import { PacketFiller } from './packetFiller.js'
import { PacketOpener } from './packetOpener.js'
import { PacketSealer } from './packetSealer.js'
import { type PathChange, Paths } from './paths.js'
import { Recovery } from './recovery.js'
import type { BytesPerSecond, CloseCode, ConnectionEvent, ConnectionStats, PathKind, Transmit } from './types.js'

/** Packets after which the peer is told how often to acknowledge: short sessions are not worth the frame. */
const ACK_FREQUENCY_AFTER_PACKETS = 32
/** Probe timeouts after which the path is suspected. */
const SUSPECT_AFTER_PTOS = 2
/** Probe timeouts after which the datagrams' size is suspected. */
const BLACK_HOLE_AFTER_PTOS = 3
/** Datagrams' worth of bytes that are asked of the source at once where trains are shorter. */
const FRESH_PACKETS_MIN = 16
/** Packet numbers kept for the last words of a connection that has used them up. */
const PACKET_NUMBER_RESERVE = 16

type State = 'open' | 'closing' | 'ended'

export class Connection {
  readonly #config: ConnectionConfig
  readonly #sealer: PacketSealer
  readonly #opener: PacketOpener
  readonly #filler: PacketFiller
  readonly #controller: CongestionController
  readonly #recovery: Recovery
  readonly #pacer: Pacer
  readonly #paths: Paths
  readonly #mtu: MtuSearch
  readonly #frames: FrameHandler
  readonly #events: ConnectionEvent[] = []
  readonly #startUs: number

  #state: State = 'open'
  #nowUs: number
  #datagramBytes: number
  #trainPackets: number
  #lastReceivedUs: number
  #keepAliveAtUs: number
  /** When the pacer lets the next packet go; Infinity where it holds none back. */
  #pacedUntilUs = Number.POSITIVE_INFINITY
  #closing: Closing | undefined

  constructor(options: ConnectionOptions) {
    const wanted = { ...CONNECTION_DEFAULTS, ...options.config }
    const config = { ...wanted, datagramMaxBytes: Math.max(wanted.datagramMaxBytes, wanted.datagramBytes) }
    assert(options.localConnectionId.length === CONNECTION_ID_BYTES, 'a connection id has 8 bytes')
    assert(options.remoteConnectionId.length === CONNECTION_ID_BYTES, 'a connection id has 8 bytes')
    assert(config.trainPackets >= 1 && config.trainPackets <= TRAIN_MAX_PACKETS, 'a train has 1 to 64 packets')
    assert(config.datagramBytes >= DATAGRAM_MIN_BYTES, 'a datagram has at least 1,200 bytes')
    assert(config.datagramMaxBytes <= DATAGRAM_MAX_BYTES, 'a datagram has at most 65,507 bytes')
    this.#config = config
    this.#nowUs = options.nowUs
    this.#startUs = options.nowUs
    this.#lastReceivedUs = options.nowUs
    this.#keepAliveAtUs = options.nowUs + config.keepAliveUs
    this.#datagramBytes = config.datagramBytes
    this.#trainPackets = config.trainPackets
    this.#filler = new PacketFiller(
      options.source,
      config.controlWindowBytes,
      config.inFlightMaxPackets,
      Math.max(config.trainPackets, FRESH_PACKETS_MIN) * config.datagramMaxBytes,
    )
    this.#controller =
      options.controller?.(config.datagramBytes) ??
      controllerFor(config.profile, config.datagramBytes, options.randomBytes)
    this.#recovery = new Recovery(this.#controller, this.#filler, config.inFlightMaxPackets)
    this.#filler.packets = this.#recovery.packets
    this.#sealer = new PacketSealer(
      options.remoteConnectionId,
      options.lane,
      options.keys.send,
      config.keyUpdatePackets,
      this.#recovery,
    )
    this.#pacer = new Pacer(options.nowUs, config.limit)
    this.#paths = new Paths(options.randomBytes, config.pathTimeoutUs)
    this.#mtu = new MtuSearch(config.datagramBytes, config.datagramMaxBytes)
    this.#frames = new FrameHandler({
      source: options.source,
      sink: options.sink,
      filler: this.#filler,
      recovery: this.#recovery,
      paths: this.#paths,
      mtu: this.#mtu,
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
      packetsSent: this.#sealer.packetsSent,
      packetsReceived: this.#opener.packetsReceived,
      packetsLost: this.#recovery.packetsLost,
      packetsCorrupted: this.#opener.packetsCorrupted,
      packetsDropped: this.#opener.packetsDropped,
      bytesSent: this.#sealer.bytesSent,
      bytesReceived: this.#opener.bytesReceived,
      bytesRetransmitted: this.#filler.bytesRetransmitted,
      rttUs: Math.round(rtt.smoothedUs),
      minRttUs: rtt.hasSample ? rtt.minUs : Math.round(rtt.smoothedUs),
      cwndBytes: Math.floor(this.#controller.cwndBytes),
      bytesInFlight: this.#recovery.bytesInFlight,
      datagramBytes: this.#datagramBytes,
      keyEpoch: this.#sealer.epoch,
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

  /** Packets of one train at most, 1 to TRAIN_MAX_PACKETS: fewer where the kernel turns out not to take trains. */
  setTrainPackets(packets: number): void {
    assert(packets >= 1 && packets <= TRAIN_MAX_PACKETS, 'a train has 1 to 64 packets')
    this.#trainPackets = packets
  }

  /** Ends the connection: 'closed' is announced, and `pollTransmit` has a last packet for the peer. */
  close(code: CloseCode): void {
    if (this.#state !== 'open') return
    this.#emit({ type: 'closed', by: 'us', code })
    if (this.#paths.active === undefined) {
      this.#state = 'ended'
      return
    }
    this.#state = 'closing'
    this.#closing = new Closing(this.#nowUs, closeNumberOf(code), this.#recovery.rtt.ptoUs(0))
  }

  // Input

  /** One read, `buffer[0, length)`: one datagram or several that the kernel joined. It is opened in place. */
  handleRead(nowUs: number, pathId: number, buffer: Uint8Array, length: number): void {
    this.#nowUs = nowUs
    if (this.#state !== 'ended') this.#opener.openRead(nowUs, pathId, buffer, length)
  }

  /** The socket refused a datagram of this size (EMSGSIZE): smaller ones from now on; what was in it counts as lost. */
  handleTooLarge(nowUs: number, datagramBytes: number): void {
    this.#nowUs = nowUs
    this.#mtu.onTooLarge(nowUs, datagramBytes)
    this.#applyMtu()
  }

  /** The time that `pollTimeout` named has come. Earlier or later does no harm. */
  handleTimeout(nowUs: number): void {
    this.#nowUs = nowUs
    if (this.#closing?.onTimeout(nowUs) === false) this.#state = 'ended'
    if (this.#state !== 'open') return
    if (nowUs >= this.#lastReceivedUs + this.#config.idleTimeoutUs) {
      this.#lose(this.#paths.active === undefined ? 'noPath' : 'idle')
    } else if (this.#paths.active === undefined) {
      if (nowUs >= this.#startUs + this.#config.pathTimeoutUs) this.#lose('noPath')
    } else {
      if (this.#recovery.onTimeout(nowUs, this.#peerMaxAckDelayUs)) this.#onProbeTimeout(nowUs)
      if (nowUs >= this.#keepAliveAtUs) {
        this.#keepAliveAtUs = nowUs + this.#config.keepAliveUs
        this.#filler.ping()
      }
    }
  }

  /** An authentic packet: called by the packet opener only. */
  onPacket(nowUs: number, pathId: number, packetNumber: number, buffer: Uint8Array, start: number, end: number): void {
    this.#closing?.onPacket()
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
    this.#applyMtu()
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
    const { rtt, packets, ptoCount } = this.#recovery
    // While nothing is acknowledged a lost probe would say nothing about its size.
    const mtuProbeBytes = ptoCount === 0 && packets.hasUntrackedRoom() ? this.#mtu.due(nowUs, out.length) : 0
    if (mtuProbeBytes > 0) return this.#transmitMtuProbe(nowUs, active.id, mtuProbeBytes, out, result)
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
    if (this.#state === 'closing') return this.#closing?.nextUs ?? Number.POSITIVE_INFINITY
    if (this.#state === 'ended') return Number.POSITIVE_INFINITY
    const idleUs = this.#lastReceivedUs + this.#config.idleTimeoutUs
    if (this.#paths.active === undefined) {
      return Math.min(this.#paths.nextUs, this.#startUs + this.#config.pathTimeoutUs, idleUs)
    }
    const { packets, ptoCount } = this.#recovery
    const dueUs = Math.min(
      idleUs,
      this.#recovery.timeoutUs(this.#peerMaxAckDelayUs),
      this.#pacedUntilUs,
      this.#keepAliveAtUs,
    )
    // What cannot leave for want of room in the ring must not wake the driver again and again.
    if (!packets.hasUntrackedRoom()) return dueUs
    const mtuUs = ptoCount === 0 ? this.#mtu.nextUs : Number.POSITIVE_INFINITY
    return Math.min(dueUs, this.#paths.nextUs, this.#filler.acks.deadlineUs, mtuUs)
  }

  /** The next event; undefined when there are no more. Bytes in it are valid until the next call of any method. */
  pollEvent(): ConnectionEvent | undefined {
    // What the peer said before it closed is handed out before the end is announced; after our own end, nothing is.
    const isHeldBack = this.#events[0]?.type === 'established' || this.#closing !== undefined
    const bytes = isHeldBack ? undefined : this.#filler.controlReceiver.read()
    return bytes === undefined ? this.#events.shift() : { type: 'control', bytes }
  }

  // Internal

  #fillTrain(nowUs: number, out: Uint8Array): number {
    const segmentBytes = this.#datagramBytes
    const packets = Math.min(this.#trainPackets, Math.floor(Math.min(out.length, DATAGRAM_MAX_BYTES) / segmentBytes))
    assert(packets >= 1, 'the buffer holds at least one datagram')
    this.#sealer.startTrain()
    this.#filler.startTrain()
    let length = 0
    for (let i = 0; i < packets; i++) {
      const size = this.#fillPacket(nowUs, out, length, segmentBytes)
      length += size
      if (size < segmentBytes) break
    }
    if (length > 0) this.#sealer.seal(out, length, segmentBytes, this.#filler.bodies)
    return length
  }

  /** Builds one packet of at most `maxBytes` at `at`, tag not yet set; returns its size, 0 where nothing may leave. */
  #fillPacket(nowUs: number, out: Uint8Array, at: number, maxBytes: number): number {
    const { packets, probesToSend } = this.#recovery
    const isProbing = probesToSend > 0
    let mayElicit = packets.hasRoom(isProbing)
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
      // A fixed limit says as little about the path as an application that has nothing to send.
      if (this.#pacer.isLimited) this.#recovery.deliveryRate.onAppLimited(this.#recovery.bytesInFlight)
    }
    if (!hasWork && !(this.#filler.acks.isDue(nowUs) && packets.hasUntrackedRoom())) return 0
    const start = at + PACKET_HEADER_BYTES
    const end = this.#filler.fill(nowUs, out, start, at + maxBytes - PACKET_TAG_BYTES, hasWork)
    if (end === start) return 0
    const size = this.#sealer.writeHeader(out, at, end)
    if (this.#filler.isAckEliciting) {
      this.#recovery.onSent(nowUs, size)
      // What only acknowledges is not paced, and takes nothing from what is (RFC 9002 §7.7).
      this.#pacer.onSent(size)
      this.#keepAliveAtUs = nowUs + this.#config.keepAliveUs
    } else {
      packets.onSentUntracked()
    }
    return size
  }

  #transmitProbe(nowUs: number, pathId: number, out: Uint8Array, result: Transmit): boolean {
    const end = PROBE_BYTES - PACKET_TAG_BYTES
    out.fill(0, this.#paths.write(nowUs, pathId, out, PACKET_HEADER_BYTES), end)
    return this.#transmitAlone(pathId, out, end, result)
  }

  #transmitMtuProbe(nowUs: number, pathId: number, bytes: number, out: Uint8Array, result: Transmit): boolean {
    out[PACKET_HEADER_BYTES] = FRAME_PING
    out.fill(0, PACKET_HEADER_BYTES + 1, bytes - PACKET_TAG_BYTES)
    this.#mtu.onSent(nowUs, this.#recovery.packets.next, this.#recovery.rtt.ptoUs(this.#peerMaxAckDelayUs))
    result.isMtuProbe = true
    return this.#transmitAlone(pathId, out, bytes - PACKET_TAG_BYTES, result)
  }

  #transmitClose(nowUs: number, out: Uint8Array, result: Transmit): boolean {
    const active = this.#paths.active
    const closing = this.#closing
    if (active === undefined || closing === undefined || !closing.take(nowUs)) return false
    if (!this.#recovery.packets.hasUntrackedRoom()) return false
    const end = writeNumberFrame(out, PACKET_HEADER_BYTES, FRAME_CLOSE, closing.number)
    return this.#transmitAlone(active.id, out, end, result)
  }

  /** Seals one packet that is not in flight for the congestion controller: the loss of a probe is no congestion. */
  #transmitAlone(pathId: number, out: Uint8Array, end: number, result: Transmit): boolean {
    this.#sealer.startTrain()
    result.pathId = pathId
    result.length = this.#sealer.writeHeader(out, 0, end)
    result.segmentBytes = result.length
    this.#sealer.seal(out, result.length, result.length, NO_BODIES)
    this.#recovery.packets.onSentUntracked()
    return true
  }

  get #peerMaxAckDelayUs(): number {
    return this.#filler.ackFrequency.peerMaxAckDelayUs
  }

  /** Datagrams have the size that the search has come to. */
  #applyMtu(): void {
    const datagramBytes = this.#mtu.currentBytes
    if (datagramBytes === this.#datagramBytes) return
    this.#datagramBytes = datagramBytes
    this.#controller.onDatagramBytes(datagramBytes)
    this.#emit({ type: 'mtuChanged', datagramBytes })
  }

  #onProbeTimeout(nowUs: number): void {
    if (this.#recovery.ptoCount >= SUSPECT_AFTER_PTOS) this.#paths.suspect(nowUs)
    if (this.#recovery.ptoCount === BLACK_HOLE_AFTER_PTOS) this.#mtu.onBlackHole(nowUs)
    this.#applyMtu()
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
    this.#mtu.start(this.#nowUs)
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
