/**
 * Three hosts as network namespaces: the sender's and the receiver's, each on a cable of its own to the one in the
 * middle, which forwards between them and is where the rendezvous runs.
 *
 *     s 10.79.1.1 ── 10.79.1.254  v  10.79.2.254 ── r 10.79.2.1
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { hostsMissing, ip } from '../bench/net/hosts.mjs'

/** @typedef {'sender' | 'receiver'} Side */

const NUMBER = { sender: 1, receiver: 2 }
const LETTER = { sender: 's', receiver: 'r' }

/** Why there is no network of namespaces here; undefined when there can be one. */
export function networkMissing() {
  const missing = hostsMissing()
  if (missing !== undefined) return missing
  // Root in a container may still not be allowed to.
  const name = `gwchaos${process.pid}probe`
  const isMade = spawnSync('ip', ['netns', 'add', name], { stdio: 'ignore' }).status === 0
  if (isMade) spawnSync('ip', ['netns', 'delete', name], { stdio: 'ignore' })
  return isMade ? undefined : 'network namespaces cannot be made here'
}

export class ChaosNetwork {
  #prefix
  /** Last byte of each side's address. @type {Record<Side, number>} */
  #last = { sender: 1, receiver: 1 }

  /** @param {import('../bench/cleanUp.mjs').CleanUp} cleanUp @param {number} number - of this world in this process. */
  constructor(cleanUp, number) {
    this.#prefix = `gwchaos${process.pid}n${number}`
    this.middle = `${this.#prefix}v`
    for (const namespace of [this.namespace('sender'), this.namespace('receiver'), this.middle]) {
      cleanUp.add(() => spawnSync('ip', ['netns', 'delete', namespace], { stdio: 'ignore' }))
      ip('netns', 'add', namespace)
      ip('-n', namespace, 'link', 'set', 'lo', 'up')
    }
    for (const side of /** @type {const} */ (['sender', 'receiver'])) this.#cable(side)
    execFileSync('ip', ['netns', 'exec', this.middle, 'sysctl', '-qw', 'net.ipv4.ip_forward=1'])
  }

  /** @param {Side} side */
  namespace(side) {
    return `${this.#prefix}${LETTER[side]}`
  }

  /** The address of the rendezvous, for both. */
  get rendezvousHost() {
    return '10.79.1.254'
  }

  /** @param {Side} side */
  #cable(side) {
    const namespace = this.namespace(side)
    const far = `to-${LETTER[side]}`
    ip('-n', namespace, 'link', 'add', 'up0', 'type', 'veth', 'peer', 'name', far, 'netns', this.middle)
    ip('-n', this.middle, 'address', 'add', `10.79.${NUMBER[side]}.254/24`, 'dev', far)
    ip('-n', this.middle, 'link', 'set', far, 'up')
    ip('-n', namespace, 'address', 'add', this.#address(side), 'dev', 'up0')
    ip('-n', namespace, 'link', 'set', 'up0', 'up')
    this.#route(side)
  }

  /** @param {Side} side */
  #address(side) {
    return `10.79.${NUMBER[side]}.${this.#last[side]}/24`
  }

  /** @param {Side} side */
  #route(side) {
    ip('-n', this.namespace(side), 'route', 'replace', 'default', 'via', `10.79.${NUMBER[side]}.254`)
  }

  /** Pulls the plug of a side's cable, or puts it in again. @param {Side} side @param {boolean} isUp */
  setLink(side, isUp) {
    ip('-n', this.middle, 'link', 'set', `to-${LETTER[side]}`, isUp ? 'up' : 'down')
  }

  /** The side has another address from now on, and its old one is gone. @param {Side} side */
  changeAddress(side) {
    const namespace = this.namespace(side)
    const before = this.#address(side)
    this.#last[side] = (this.#last[side] % 200) + 1
    ip('-n', namespace, 'address', 'add', this.#address(side), 'dev', 'up0')
    ip('-n', namespace, 'address', 'delete', before, 'dev', 'up0')
    // Of one network the second address goes with the first, unless the system promotes it.
    spawnSync('ip', ['-n', namespace, 'address', 'add', this.#address(side), 'dev', 'up0'], { stdio: 'ignore' })
    this.#route(side)
  }

  /** Bytes that a side has received from the network so far, headers included. @param {Side} side */
  receivedBytes(side) {
    const text = execFileSync('ip', ['-n', this.namespace(side), '-s', '-j', 'link', 'show', 'up0'], {
      encoding: 'utf8',
    })
    return Number(JSON.parse(text)[0].stats64.rx.bytes)
  }
}
