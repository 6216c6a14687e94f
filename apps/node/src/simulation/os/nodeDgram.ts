/** Stands in for `node:dgram` in a simulation: a socket on the virtual network. */
import { EventEmitter } from 'node:events'
import { assert } from '@godwit/protocol/assert'
import { kernel, ownProcess, type SimProcess } from './kernel.js'
import type { Endpoint, VirtualNetwork } from './network.js'

/** Microseconds until a bind, and until a buffer that was sent is free again. */
const BIND_US = 50
const SEND_US = 5
const BUFFER_BYTES = 8 * 1024 * 1024

class VirtualSocket extends EventEmitter {
  readonly #process: SimProcess = ownProcess()
  readonly #network: VirtualNetwork
  #endpoint: Endpoint | undefined
  readonly #free = (): void => this.#unbind()

  constructor() {
    super()
    const { network } = kernel()
    assert(network !== undefined, 'there is a network')
    this.#network = network
  }

  bind(_where: object, onBound: () => void): void {
    kernel().after(BIND_US, this.#process, () => {
      this.#endpoint = this.#network.bind(this.#process, (bytes, address, port) =>
        this.emit('message', bytes, { address, port, family: 'IPv4', size: bytes.length }),
      )
      this.#process.descriptors += 1
      this.#process.onDeath.add(this.#free)
      onBound()
    })
  }

  address(): { readonly port: number } {
    return { port: this.#endpoint?.port ?? 0 }
  }

  /** Both forms that the node uses: (bytes, port, ip, done) and (bytes, offset, length, port, ip, done). */
  send(bytes: Uint8Array, ...rest: readonly unknown[]): void {
    const isWhole = typeof rest[1] === 'string'
    const [offset, length] = isWhole ? [0, bytes.length] : [Number(rest[0]), Number(rest[1])]
    const [port, ip, done] = isWhole ? rest : rest.slice(2)
    if (this.#endpoint !== undefined) {
      this.#network.send(this.#endpoint, bytes.slice(offset, offset + length), String(ip), Number(port))
    }
    if (typeof done === 'function') kernel().after(SEND_US, this.#process, () => done(null))
  }

  close(): void {
    this.#process.onDeath.delete(this.#free)
    this.#unbind()
  }

  setTTL(): void {}
  setRecvBufferSize(): void {}
  setSendBufferSize(): void {}

  getRecvBufferSize(): number {
    return BUFFER_BYTES
  }

  getSendBufferSize(): number {
    return BUFFER_BYTES
  }

  #unbind(): void {
    if (this.#endpoint === undefined) return
    this.#network.unbind(this.#endpoint)
    this.#endpoint = undefined
    this.#process.descriptors -= 1
  }
}

export type { VirtualSocket as Socket }

export const createSocket = (): VirtualSocket => new VirtualSocket()
