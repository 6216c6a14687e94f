/** An emulated link between two hosts: starts linksim, moves its devices to the hosts and keeps its samples. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { buildLinksim } from '../../linksim/build.mjs'
import { ip } from './hosts.mjs'

/** Room in front of the emulator, in reads of its device: what waits there has not reached the link's own queue. */
const DEVICE_QUEUE = 20_000
const READY_MS = 5000

/** @typedef {import('./linkSamples.mjs').LinkSample} LinkSample */

export class EmulatedLink {
  /**
   * Samples since the start, oldest first.
   *
   * @type {LinkSample[]}
   */
  samples = []

  /** @param {import('node:child_process').ChildProcess} child */
  constructor(child) {
    this.process = child
  }

  /**
   * @param {import('./hosts.mjs').Hosts} hosts
   * @param {{ cleanUp: import('../cleanUp.mjs').CleanUp, options: readonly string[], mtu: number }} settings
   */
  static async create(hosts, { cleanUp, options, mtu }) {
    const program = buildLinksim()
    const { a, b } = hosts
    const child = spawn(program, [a.device, b.device, ...options], { stdio: ['ignore', 'pipe', 'inherit'] })
    cleanUp.add(async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      const isGone = once(child, 'exit')
      child.kill('SIGTERM')
      await isGone
    })
    const link = new EmulatedLink(child)
    await link.#ready()
    for (const { namespace, device } of [a, b]) {
      ip('link', 'set', device, 'netns', namespace)
      ip('-n', namespace, 'link', 'set', device, 'txqueuelen', String(DEVICE_QUEUE))
    }
    hosts.address(mtu)
    return link
  }

  /** Resolves when the devices exist. */
  #ready() {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('linksim does not start')), READY_MS)
      this.process.once('error', reject)
      this.process.once('exit', () => reject(new Error('linksim ended')))
      createInterface({ input: /** @type {import('node:stream').Readable} */ (this.process.stdout) }).on(
        'line',
        (text) => {
          const line = JSON.parse(text)
          if (line.type === 'ready') {
            clearTimeout(timer)
            resolve(undefined)
          } else this.samples.push(line)
        },
      )
    })
  }
}
