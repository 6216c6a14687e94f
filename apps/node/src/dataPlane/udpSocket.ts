/**
 * One lane's UDP socket: binds it, numbers the addresses that it talks to, and sends from a fixed set of buffers, since
 * dgram may keep a buffer until its callback.
 */
import { createSocket, type Socket } from 'node:dgram'
import type { Failure, Result } from '@godwit/protocol/errors'
import { fail, ok } from '@godwit/protocol/errors'
import { DATAGRAM_MIN_BYTES } from '@godwit/protocol/limits'

/** Datagrams handed to the kernel and not yet reported sent. */
const SEND_BUFFERS = 512
/** Bytes of one send buffer: a plain datagram; trains bring larger ones. */
const SEND_BUFFER_BYTES = Math.max(2048, DATAGRAM_MIN_BYTES)
/** Addresses numbered at a time; beyond it the oldest that is not kept is forgotten. */
const PATHS_MAX = 256
/** Asked of the kernel for either direction; it grants what its limits allow. */
const SOCKET_BUFFER_BYTES = 8 * 1024 * 1024
/** Routers that a NAT opener passes: our own, whose mapping it makes, and at most one more. */
const OPENER_HOPS = 2
/** What other datagrams may pass: the usual TTL of Linux and macOS. */
const DEFAULT_HOPS = 64

export interface UdpAddress {
  readonly ip: string
  readonly port: number
}

export type DatagramHandler = (pathId: number, bytes: Uint8Array, from: UdpAddress) => void

export class UdpSocket {
  readonly #socket: Socket
  /** Numbers are never used twice: a forgotten one leads nowhere, never to another address. */
  readonly #addresses = new Map<number, UdpAddress>()
  readonly #ids = new Map<string, number>()
  readonly #kept = new Set<number>()
  #nextId = 0
  readonly #free: Uint8Array[] = []
  #made = 0
  #lastIp = ''
  #lastPort = 0
  #lastId = -1
  #isClosed = false
  /** Called when a send buffer came free after `takeBuffer` had none. */
  onDrain: () => void = () => {}
  #isStarved = false

  private constructor(socket: Socket) {
    this.#socket = socket
  }

  /** @param host - an IPv4 address of this machine, or 0.0.0.0 for all. */
  static open(host: string, onDatagram: DatagramHandler): Promise<Result<UdpSocket>> {
    return new Promise((resolve) => {
      // Addresses here are numeric always: the look-up answers at once.
      const socket = createSocket({ type: 'udp4', lookup: (name, _options, callback) => callback(null, name, 4) })
      const self = new UdpSocket(socket)
      const onError = (error: NodeJS.ErrnoException): void => {
        socket.close()
        resolve(bindFailure(error, host))
      }
      socket.once('error', onError)
      socket.bind({ address: host, port: 0, exclusive: true }, () => {
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
          onDatagram(self.#idOf(from.address, from.port), message, { ip: from.address, port: from.port })
        })
        resolve(ok(self))
      })
    })
  }

  get port(): number {
    return this.#socket.address().port
  }

  /** The number of an address that is kept: a candidate. */
  pathOf(address: UdpAddress): number {
    const id = this.#idOf(address.ip, address.port)
    this.keep(id)
    return id
  }

  /** Keeps a number from being forgotten: its address has proved to be the peer's. */
  keep(pathId: number): void {
    if (this.#addresses.has(pathId)) this.#kept.add(pathId)
  }

  addressOf(pathId: number): UdpAddress | undefined {
    return this.#addresses.get(pathId)
  }

  /** A buffer to build a datagram in; undefined while all are with the kernel (`onDrain` tells). */
  takeBuffer(): Uint8Array | undefined {
    const buffer = this.#free.pop()
    if (buffer !== undefined) return buffer
    if (this.#made < SEND_BUFFERS) {
      this.#made += 1
      return new Uint8Array(SEND_BUFFER_BYTES)
    }
    this.#isStarved = true
    return undefined
  }

  /** Gives back a buffer that was taken and not sent. */
  giveBuffer(buffer: Uint8Array): void {
    this.#free.push(buffer)
    if (this.#isStarved) {
      this.#isStarved = false
      this.onDrain()
    }
  }

  /** Sends `buffer[0, length)`; the buffer comes back by itself. */
  send(buffer: Uint8Array, length: number, pathId: number): void {
    const address = this.#addresses.get(pathId)
    if (this.#isClosed || address === undefined) {
      this.giveBuffer(buffer)
      return
    }
    this.#socket.send(buffer, 0, length, address.port, address.ip, () => this.giveBuffer(buffer))
  }

  /** Sends bytes of the caller to any address, outside of the session. */
  sendRaw(bytes: Uint8Array, address: UdpAddress): void {
    if (!this.#isClosed) this.#socket.send(bytes, address.port, address.ip, () => {})
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

  #idOf(ip: string, port: number): number {
    if (port === this.#lastPort && ip === this.#lastIp) return this.#lastId
    const key = `${ip}:${port}`
    let id = this.#ids.get(key)
    if (id === undefined) {
      if (this.#addresses.size >= PATHS_MAX) this.#forgetOne()
      id = this.#nextId++
      this.#addresses.set(id, { ip, port })
      this.#ids.set(key, id)
    }
    this.#lastIp = ip
    this.#lastPort = port
    this.#lastId = id
    return id
  }

  #forgetOne(): void {
    for (const [id, address] of this.#addresses) {
      if (this.#kept.has(id)) continue
      this.#addresses.delete(id)
      this.#ids.delete(`${address.ip}:${address.port}`)
      if (id === this.#lastId) this.#lastPort = 0
      return
    }
  }
}

const bindFailure = (error: NodeJS.ErrnoException, host: string): { readonly ok: false; readonly failure: Failure } =>
  error.code === 'EADDRINUSE' || error.code === 'EADDRNOTAVAIL' || error.code === 'EACCES'
    ? fail('ERR_PORT_TAKEN', `UDP on ${host}: ${error.code}`)
    : fail('ERR_NO_PATH', `UDP on ${host}: ${error.code ?? 'no socket'}`)
