/**
 * UDP between the hosts of a simulation: a link with faults in each direction, and a NAT in front of each host that may
 * give its sockets other addresses at any time.
 */
import type { SeededRandom } from '@godwit/engine/testing/random'
import { CLEAN_LINK, type LinkOptions, VirtualLink } from '@godwit/engine/testing/virtualLink'
import type { Host, Kernel, SimProcess } from './kernel.js'

/** Bytes of the largest datagram that passes. */
const FIRST_PORT = 20_000

export interface Endpoint {
  readonly host: Host
  readonly process: SimProcess
  readonly port: number
  readonly onDatagram: (bytes: Uint8Array, ip: string, port: number) => void
}

/** Sees every datagram that leaves a socket. */
export type Tap = (from: Endpoint, bytes: Uint8Array) => void

export class VirtualNetwork {
  readonly #kernel: Kernel
  readonly #random: SeededRandom
  readonly #endpoints = new Set<Endpoint>()
  /** By the address that a socket is seen under: its own, or the one that a NAT gave it. */
  readonly #byAddress = new Map<string, Endpoint>()
  readonly #addressOf = new Map<Endpoint, { readonly ip: string; readonly port: number }>()
  readonly #links = new Map<string, VirtualLink>()
  /** Addresses by the numbers that links know them under. */
  readonly #numbered: { readonly ip: string; readonly port: number }[] = []
  readonly #numbers = new Map<string, number>()
  readonly #taps: Tap[] = []
  #nextPort = FIRST_PORT
  #options: LinkOptions = CLEAN_LINK
  mtuBytes = 1472
  /** Hosts that nothing leaves. */
  readonly dark = new Set<string>()

  constructor(kernel: Kernel, random: SeededRandom) {
    this.#kernel = kernel
    this.#random = random
    kernel.network = this
  }

  get socketCount(): number {
    return this.#endpoints.size
  }

  tap(tap: Tap): void {
    this.#taps.push(tap)
  }

  /** The links are like this from now on. */
  setLinks(options: Partial<LinkOptions>): void {
    this.#options = { ...CLEAN_LINK, ...options }
    this.#links.clear()
  }

  bind(process: SimProcess, onDatagram: Endpoint['onDatagram']): Endpoint {
    const endpoint: Endpoint = { host: process.host, process, port: this.#nextPort++, onDatagram }
    this.#endpoints.add(endpoint)
    this.#name(endpoint, process.host.ip, endpoint.port)
    return endpoint
  }

  unbind(endpoint: Endpoint): void {
    this.#endpoints.delete(endpoint)
    const address = this.#addressOf.get(endpoint)
    if (address !== undefined) this.#byAddress.delete(keyOf(address.ip, address.port))
    this.#addressOf.delete(endpoint)
  }

  /** From now on every socket of `host` is seen under another port; nothing that is sent to the old one arrives. */
  rebind(host: Host, ip = host.ip): void {
    for (const endpoint of this.#endpoints) {
      if (endpoint.host !== host) continue
      const old = this.#addressOf.get(endpoint)
      if (old !== undefined) this.#byAddress.delete(keyOf(old.ip, old.port))
      this.#name(endpoint, ip, this.#nextPort++)
    }
  }

  send(from: Endpoint, bytes: Uint8Array, ip: string, port: number): void {
    for (const tap of this.#taps) tap(from, bytes)
    const source = this.#addressOf.get(from)
    if (source === undefined || this.dark.has(from.host.name)) return
    const link = this.#linkOf(`${from.host.ip} ${ip}`)
    link.mtuBytes = this.mtuBytes
    const numbers = [this.#numberOf(source.ip, source.port), this.#numberOf(ip, port)] as const
    link.send(this.#kernel.nowUs, numbers[0], numbers[1], bytes, bytes.length, false)
  }

  #linkOf(way: string): VirtualLink {
    const known = this.#links.get(way)
    if (known !== undefined) return known
    const link = new VirtualLink(this.#options, this.#random, (atUs, from, to, bytes) =>
      this.#kernel.at(atUs, undefined, () => this.#arrive(from, to, bytes)),
    )
    this.#links.set(way, link)
    return link
  }

  #arrive(from: number, to: number, bytes: Uint8Array): void {
    const source = this.#numbered[from]
    const target = this.#numbered[to]
    if (source === undefined || target === undefined) return
    const endpoint = this.#byAddress.get(keyOf(target.ip, target.port))
    if (endpoint === undefined) return
    this.#kernel.at(this.#kernel.nowUs, endpoint.process, () => {
      if (this.#endpoints.has(endpoint)) endpoint.onDatagram(bytes, source.ip, source.port)
    })
  }

  #name(endpoint: Endpoint, ip: string, port: number): void {
    this.#addressOf.set(endpoint, { ip, port })
    this.#byAddress.set(keyOf(ip, port), endpoint)
  }

  #numberOf(ip: string, port: number): number {
    const key = keyOf(ip, port)
    const known = this.#numbers.get(key)
    if (known !== undefined) return known
    const number = this.#numbered.push({ ip, port }) - 1
    this.#numbers.set(key, number)
    return number
  }
}

const keyOf = (ip: string, port: number): string => `${ip}:${port}`
