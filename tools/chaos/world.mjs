/**
 * Two computers, a rendezvous and the network between them, in one folder. They live through many runs; a run that
 * failed leaves its world's folder behind, and the next run gets a new one.
 */
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { endEverythingBelow, processesOf } from '../../apps/cli/dist/demo/processes.js'
import { CleanUp } from '../bench/cleanUp.mjs'
import { ROOT } from '../bench/machine.mjs'
import { ChaosNode, signal, untilGone, within } from './chaosNode.mjs'
import { ChaosNetwork } from './network.mjs'

const RENDEZVOUS = join(ROOT, 'apps', 'rendezvous', 'dist', 'main.js')

let worlds = 0

export class ChaosWorld {
  #cleanUp = new CleanUp()
  /** @type {import('node:child_process').ChildProcess | undefined} */
  #rendezvous
  #port = 0
  isKept = false

  /** @param {boolean} hasNetwork */
  constructor(hasNetwork) {
    // Short: a data directory holds a unix socket, whose path may have 107 bytes.
    this.folder = mkdtempSync('/tmp/gwchaos-')
    this.network = hasNetwork ? new ChaosNetwork(this.#cleanUp, worlds++) : undefined
    this.sender = new ChaosNode(this.#cleanUp, 'sender', this.folder, this.network?.namespace('sender'))
    this.receiver = new ChaosNode(this.#cleanUp, 'receiver', this.folder, this.network?.namespace('receiver'))
    this.rendezvousDir = join(this.folder, 'v')
    mkdirSync(this.rendezvousDir)
  }

  get nodes() {
    return [this.sender, this.receiver]
  }

  get rendezvousUrl() {
    return `http://${this.network?.rendezvousHost ?? '127.0.0.1'}:${this.#port}`
  }

  /** Starts everything. @param {import('../bench/cleanUp.mjs').CleanUp} outer - takes it down when the program ends. */
  async start(outer) {
    outer.add(() => this.dispose())
    this.#port = this.network === undefined ? await freePort() : 4907
    await this.startRendezvous()
    for (const node of this.nodes) node.start()
    for (const node of this.nodes) await node.ready()
  }

  async startRendezvous() {
    const host = this.network?.rendezvousHost ?? '127.0.0.1'
    const words = [process.execPath, RENDEZVOUS, '--listen', `${host}:${this.#port}`, '--data-dir', this.rendezvousDir]
    const [program, args] = within(this.network?.middle, words)
    const log = openSync(join(this.rendezvousDir, 'rendezvous.log'), 'a')
    const env = { PATH: process.env['PATH'], HOME: this.folder }
    const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', log] })
    this.#rendezvous = child
    await new Promise((resolve, reject) => {
      const output = child.stdout
      if (output === null) throw new Error('a pipe was asked for')
      createInterface({ input: output }).on('line', (line) => {
        if (JSON.parse(line).type === 'rendezvous.ready') resolve(undefined)
        else reject(new Error(line))
      })
      child.once('exit', (code) => reject(new Error(`the rendezvous ended with ${code}`)))
      child.once('error', reject)
    })
  }

  /** SIGKILL for the rendezvous that stands between the two. @param {boolean} withRedis */
  async killRendezvous(withRedis) {
    const pids = [this.#rendezvous?.pid, ...(withRedis ? processesOf(this.rendezvousDir).redis : [])]
    for (const pid of pids) signal(pid, 'SIGKILL')
    await untilGone(pids)
  }

  /** @param {string} name @param {object} value - for whoever studies a world that was kept. */
  note(name, value) {
    writeFileSync(join(this.folder, name), `${JSON.stringify(value, null, 2)}\n`)
  }

  async dispose() {
    for (const node of this.nodes) signal(node.pids.supervisor, 'SIGKILL')
    await endEverythingBelow(this.folder, [this.sender.dataDir, this.receiver.dataDir, this.rendezvousDir])
    await this.#cleanUp.run()
    if (!this.isKept) rmSync(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  }
}

/** @returns {Promise<number>} */
const freePort = () =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
