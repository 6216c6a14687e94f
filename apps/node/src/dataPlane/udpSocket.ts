/**
 * One lane's UDP socket: binds it, numbers the addresses that it talks to, sends datagrams and trains, and reads.
 *
 * It is a dgram socket always. On Linux its file descriptor has the kernel's offloads (`offloadSocket.ts`): trains leave by
 * one call, and what has arrived behind the read that dgram reports is read at once into one buffer that is used again and
 * again. dgram still waits for the socket, to read and, when the kernel's buffer is full, to write. Where the offloads are
 * refused, at the start or later, every datagram has its own send, and the bytes on the wire are the same.
 */
import { createSocket, type Socket } from 'node:dgram'
import type { Transmit } from '@godwit/engine/transport/types'
import type { Failure, Result } from '@godwit/protocol/errors'
import { fail, ok } from '@godwit/protocol/errors'
import { DATAGRAM_MAX_BYTES, TRAIN_MAX_PACKETS } from '@godwit/protocol/limits'
import { type OffloadSocket, openOffloadSocket } from './offloadSocket.js'
import { type NumberedAddress, PathTable, type UdpAddress } from './pathTable.js'

/** Buffers that dgram may hold at a time: datagrams that wait for the kernel. With offloads only what it has no room for. */
const SEND_BUFFERS = 512
const OFFLOAD_SEND_BUFFERS = 2
/** Datagrams of a socket that cannot tell whether they were fragmented: Ethernet's, at the most. */
const PLAIN_DATAGRAM_MAX_BYTES = 1472
/** Bytes of the largest read. */
const READ_BYTES = 65_536
/** Bytes that are read directly between two turns of the lane, so that acknowledgements are not kept waiting. */
const READ_AHEAD_MAX_BYTES = 1024 * 1024
/**
 * Words of heap that are dropped with every read of dgram's. Its buffers are memory outside of the heap: V8 frees them in
 * the small collection that comes when the young heap is full, and comes to a full one when 64 MB of them are there before.
 * With large datagrams so little else is made that it always did: a fifth of a receiver's time.
 */
const BALLAST_WORDS = 2048
/** Asked of the kernel for either direction; it grants what its limits allow. */
const SOCKET_BUFFER_BYTES = 8 * 1024 * 1024
/** Routers that a NAT opener passes: our own, whose mapping it makes, and at most one more. */
const OPENER_HOPS = 2
/** What other datagrams may pass: the usual TTL of Linux and macOS. */
const DEFAULT_HOPS = 64

export interface SocketEvents {
  /** One read, `bytes[0, length)`: a datagram, or several of one size that the kernel joined. Valid during the call. */
  onRead(pathId: number, bytes: Uint8Array, length: number): void
  /** There is room to send after `takeBuffer` had none. */
  onDrain(): void
  /** A datagram of so many bytes is more than the interface carries. */
  onTooLarge(datagramBytes: number): void
  /** The kernel or the interface does not cut trains: from now on one datagram a send. */
  onTrainsRefused(): void
}

export class UdpSocket {
  readonly #socket: Socket
  readonly #offload: OffloadSocket | undefined
  readonly #events: SocketEvents
  readonly #paths = new PathTable()
  readonly #free: Uint8Array[] = []
  readonly #buffersMax: number
  readonly #bufferBytes: number
  readonly #readBuffer: Uint8Array
  #made = 0
  /** Sends that wait in dgram. */
  #queued = 0
  /** What the kernel cuts buffers into; 0 for not at all. */
  #segmentBytes = 0
  #readAheadBytes = 0
  /** See BALLAST_WORDS; a field, so that it is really made. */
  ballast: readonly unknown[] = []
  #isTrainRefused = false
  #isStarved = false
  #isClosed = false

  private constructor(socket: Socket, offload: OffloadSocket | undefined, events: SocketEvents) {
    this.#socket = socket
    this.#offload = offload
    this.#events = events
    this.#buffersMax = offload === undefined ? SEND_BUFFERS : OFFLOAD_SEND_BUFFERS
    this.#bufferBytes = offload === undefined ? PLAIN_DATAGRAM_MAX_BYTES : DATAGRAM_MAX_BYTES
    this.#readBuffer = new Uint8Array(offload === undefined ? 0 : READ_BYTES)
  }

  /** @param host - an IPv4 address of this machine, or 0.0.0.0 for all. */
  static open(host: string, events: SocketEvents): Promise<Result<UdpSocket>> {
    return new Promise((resolve) => {
      const offload = openOffloadSocket(host)
      // Addresses here are numeric always: the look-up answers at once.
      const socket = createSocket({ type: 'udp4', lookup: (name, _options, callback) => callback(null, name, 4) })
      const self = new UdpSocket(socket, offload, events)
      const onError = (error: NodeJS.ErrnoException): void => {
        offload?.close()
        socket.close()
        resolve(bindFailure(error, host))
      }
      socket.once('error', onError)
      const where = offload === undefined ? { address: host, port: 0 } : { fd: offload.fd }
      socket.bind({ ...where, exclusive: true }, () => {
        socket.off('error', onError)
        // A send that fails (no route, ICMP) is a lost packet: the transport sees it.
        socket.on('error', () => {})
        try {
          socket.setRecvBufferSize(SOCKET_BUFFER_BYTES)
          socket.setSendBufferSize(SOCKET_BUFFER_BYTES)
        } catch {
          // The kernel's default stays.
        }
        socket.on('message', (message, from) => {
          if (self.#isClosed) return
          events.onRead(self.#paths.idOf(from.address, from.port), message, message.length)
          self.ballast = new Array(BALLAST_WORDS)
          self.#readAhead()
        })
        resolve(ok(self))
      })
    })
  }

  get port(): number {
    return this.#socket.address().port
  }

  /** Datagrams that one send may carry. */
  get trainPackets(): number {
    return this.#offload === undefined || this.#isTrainRefused ? 1 : TRAIN_MAX_PACKETS
  }

  /** The largest datagram that may be tried. */
  get datagramMaxBytes(): number {
    return this.#bufferBytes
  }

  /** Bytes of the kernel's buffer for what has arrived, as it granted them. */
  get receiveBufferBytes(): number {
    return this.#socket.getRecvBufferSize()
  }

  get sendBufferBytes(): number {
    return this.#socket.getSendBufferSize()
  }

  /** The number of an address that is kept: a candidate. */
  pathOf(address: UdpAddress): number {
    const id = this.#paths.idOf(address.ip, address.port)
    this.#paths.keep(id)
    return id
  }

  /** Keeps a number from being forgotten: its address has proved to be the peer's. */
  keep(pathId: number): void {
    this.#paths.keep(pathId)
  }

  /** A turn of the lane begins: as much may be read again before the next one. */
  startTurn(): void {
    this.#readAheadBytes = 0
  }

  /** A buffer to build a datagram or train in; undefined while the kernel has no room (`onDrain` tells). */
  takeBuffer(): Uint8Array | undefined {
    // With offloads whatever waits in dgram comes first, lest it be cut as the next train wants it.
    if (this.#offload === undefined || this.#queued === 0) {
      const buffer = this.#free.pop()
      if (buffer !== undefined) return buffer
      if (this.#made < this.#buffersMax) {
        this.#made += 1
        return new Uint8Array(this.#bufferBytes)
      }
    }
    this.#isStarved = true
    return undefined
  }

  /** Gives back a buffer that was taken and not sent. */
  giveBuffer(buffer: Uint8Array): void {
    this.#free.push(buffer)
    if (!this.#isStarved || (this.#offload !== undefined && this.#queued > 0)) return
    this.#isStarved = false
    this.#events.onDrain()
  }

  /** Sends what `pollTransmit` filled; the buffer comes back by itself. */
  send(buffer: Uint8Array, { length, segmentBytes, pathId }: Transmit): void {
    const address = this.#paths.addressOf(pathId)
    if (this.#isClosed || address === undefined) this.giveBuffer(buffer)
    else if (this.#offload === undefined) this.#queue(buffer, length, address)
    else this.#sendNow(this.#offload, buffer, length, segmentBytes, address)
  }

  /** Sends bytes of the caller to any address, outside of the session. */
  sendRaw(bytes: Uint8Array, { ip, port }: UdpAddress): void {
    if (!this.#isClosed) this.#socket.send(bytes, port, ip, () => {})
  }

  /**
   * Makes our own NAT let answers from `addresses` in, with datagrams that die before they reach the other side's NAT:
   * one that arrived there unasked would make a Linux NAT take another port for the peer's answers.
   */
  async openNat(addresses: readonly UdpAddress[], bytes: Uint8Array): Promise<void> {
    if (this.#isClosed || addresses.length === 0) return
    try {
      this.#socket.setTTL(OPENER_HOPS)
    } catch {
      return
    }
    await Promise.all(
      addresses.map(
        ({ ip, port }) => new Promise<void>((resolve) => this.#socket.send(bytes, port, ip, () => resolve())),
      ),
    )
    if (!this.#isClosed) this.#socket.setTTL(DEFAULT_HOPS)
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#socket.close()
  }

  /** Reads what else has arrived, without waiting and without new buffers. */
  #readAhead(): void {
    const offload = this.#offload
    if (offload === undefined) return
    while (!this.#isClosed && this.#readAheadBytes < READ_AHEAD_MAX_BYTES) {
      const length = offload.receive(this.#readBuffer)
      if (length === 0) return
      this.#readAheadBytes += length
      this.#events.onRead(this.#paths.idOfSocketAddress(offload.from), this.#readBuffer, length)
    }
  }

  #sendNow(
    offload: OffloadSocket,
    buffer: Uint8Array,
    length: number,
    segmentBytes: number,
    address: NumberedAddress,
  ): void {
    const isTrain = length > segmentBytes
    // A train that was built before trains were refused is lost, and sent again datagram by datagram.
    const isPossible = !(isTrain && this.#isTrainRefused) && this.#cut(offload, length, segmentBytes)
    const outcome = isPossible ? offload.send(buffer, length, address.socketAddress) : 'notCut'
    if (outcome === 'wouldBlock') {
      this.#queue(buffer, length, address)
      return
    }
    // Before the buffer is used again: what is told here may change what is built in it.
    if (outcome === 'tooLarge') this.#events.onTooLarge(Math.min(length, segmentBytes))
    else if (outcome === 'notCut' && isTrain) this.#refuseTrains()
    this.giveBuffer(buffer)
  }

  /** Sees to it that the kernel makes the datagrams of these bytes that are meant. */
  #cut(offload: OffloadSocket, length: number, segmentBytes: number): boolean {
    const isTrain = length > segmentBytes
    const isCutRight = isTrain
      ? this.#segmentBytes === segmentBytes
      : this.#segmentBytes === 0 || length <= this.#segmentBytes
    if (isCutRight) return true
    const segment = isTrain ? segmentBytes : 0
    if (!offload.setSegment(segment)) return false
    this.#segmentBytes = segment
    return true
  }

  /** Leaves a buffer to dgram, which waits for the kernel. */
  #queue(buffer: Uint8Array, length: number, { ip, port }: UdpAddress): void {
    this.#queued += 1
    this.#socket.send(buffer, 0, length, port, ip, () => {
      this.#queued -= 1
      this.giveBuffer(buffer)
    })
  }

  #refuseTrains(): void {
    if (this.#isTrainRefused) return
    this.#isTrainRefused = true
    this.#events.onTrainsRefused()
  }
}

const bindFailure = (error: NodeJS.ErrnoException, host: string): { readonly ok: false; readonly failure: Failure } =>
  error.code === 'EADDRINUSE' || error.code === 'EADDRNOTAVAIL' || error.code === 'EACCES'
    ? fail('ERR_PORT_TAKEN', `UDP on ${host}: ${error.code}`)
    : fail('ERR_NO_PATH', `UDP on ${host}: ${error.code ?? 'no socket'}`)
