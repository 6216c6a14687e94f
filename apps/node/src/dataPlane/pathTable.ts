/** Numbers for the addresses that a socket talks to, so that the transport deals in path ids. IPv4. */
import { ipOf, portOf, socketAddress } from './offloadSocket.js'

/** Addresses numbered at a time; beyond it the oldest that is not kept is forgotten. */
const PATHS_MAX = 256

export interface UdpAddress {
  readonly ip: string
  readonly port: number
}

export interface NumberedAddress extends UdpAddress {
  /** The same as the kernel takes it. */
  readonly socketAddress: Uint8Array
}

export class PathTable {
  /** Numbers are never used twice: a forgotten one leads nowhere, never to another address. */
  readonly #addresses = new Map<number, NumberedAddress>()
  readonly #ids = new Map<string, number>()
  readonly #kept = new Set<number>()
  #nextId = 0
  /** The address that was asked for last: nearly always the next one too. */
  #last: NumberedAddress | undefined
  #lastId = -1

  /** The number of an address, a new one where it has none. */
  idOf(ip: string, port: number): number {
    if (this.#last?.port === port && this.#last.ip === ip) return this.#lastId
    const key = `${ip}:${port}`
    let id = this.#ids.get(key)
    if (id === undefined) {
      if (this.#addresses.size >= PATHS_MAX) this.#forgetOne()
      id = this.#nextId++
      this.#addresses.set(id, { ip, port, socketAddress: socketAddress(ip, port) })
      this.#ids.set(key, id)
    }
    this.#last = this.#addresses.get(id)
    this.#lastId = id
    return id
  }

  /** The same for an address as the kernel gives it. */
  idOfSocketAddress(from: Uint8Array): number {
    const last = this.#last?.socketAddress
    return last !== undefined && isSame(last, from) ? this.#lastId : this.idOf(ipOf(from), portOf(from))
  }

  addressOf(id: number): NumberedAddress | undefined {
    return this.#addresses.get(id)
  }

  /** Keeps a number from being forgotten: its address is a candidate or has proved to be the peer's. */
  keep(id: number): void {
    if (this.#addresses.has(id)) this.#kept.add(id)
  }

  #forgetOne(): void {
    for (const [id, { ip, port }] of this.#addresses) {
      if (this.#kept.has(id)) continue
      this.#addresses.delete(id)
      this.#ids.delete(`${ip}:${port}`)
      if (id === this.#lastId) this.#last = undefined
      return
    }
  }
}

/** Port and address: bytes 2 to 7. */
const isSame = (one: Uint8Array, other: Uint8Array): boolean => {
  for (let i = 2; i < 8; i++) if (one[i] !== other[i]) return false
  return true
}
