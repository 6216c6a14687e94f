/** One run: a transfer, the faults of its plan, and everything that the checkers judge. */
import { randomUUID } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { resetPeakRss, usageOf } from '../bench/processUsage.mjs'
import { CHECKERS } from './checkers/all.mjs'
import { readStored } from './checkers/eventsFold.mjs'
import { differences } from './checkers/filesEqual.mjs'
import { claimsNotHeld } from './checkers/logWithinDisk.mjs'
import { collectSecrets, searchSecrets, sizesOf } from './checkers/noSecrets.mjs'
import { arm, disarm, hasFired, inflict } from './faults.mjs'
import { losesLog } from './plan.mjs'
import { Chance } from './random.mjs'
import { makeCargo } from './shapes.mjs'

/** Also how finely the time until data flows again is measured. */
const POLL_MS = 80
const SECRETS_EVERY_MS = 250
/** Milliseconds that a run may take beyond what its faults last. */
const END_MS = 75_000
const ENQUEUE_MS = 40_000
/** Share of the received bytes that is payload: headers of Ethernet, IPv4, UDP and packets, and the acknowledgements. */
const PAYLOAD_SHARE = 0.945
const SMALL_TALK_BYTES = 300_000
/** States of a transfer that will not change by itself. */
const FINAL = ['completed', 'failed', 'cancelled']

/**
 * @typedef {import('./plan.mjs').Plan} Plan
 * @typedef {{ kind: string, point: string, side: string, downAt: number, backAt: number, wasFlowing: boolean }} Inflicted - times of
 * performance.now().
 * @typedef {{ plan: Plan, shape: string, problems: string[], inflicted: Inflicted[], missed: number, resumes: { kind: string, ms: number }[],
 *   sentAgainBytes: number | undefined, seconds: number, folders: string[] }} RunResult
 */

/** @param {import('./world.mjs').ChaosWorld} world @param {Plan} plan @param {number} number @returns {Promise<RunResult>} */
export async function runOnce(world, plan, number) {
  const run = new ChaosRun(world, plan, number)
  try {
    return await run.go()
  } finally {
    disarm(run.stage)
  }
}

class ChaosRun {
  /** @type {{ at: number, sender: any, receiver: any }[]} */
  #samples = []
  /** @type {string[]} */
  #trouble = []
  /** @type {string[]} */
  #missing = []
  /** @type {string[]} */
  #claims = []
  /** @type {Inflicted[]} */
  #inflicted = []
  /** @type {Set<string>} */
  #secrets = new Set()
  /** @type {Set<string>} */
  #completed = new Set()
  #isOver = false
  #ids = { sender: '', receiver: '' }
  #startedAt = performance.now()

  /** @param {import('./world.mjs').ChaosWorld} world @param {Plan} plan @param {number} number */
  constructor(world, plan, number) {
    this.world = world
    this.plan = plan
    this.input = join(world.folder, `in${number}`)
    this.output = join(world.folder, `out${number}`)
    this.stage = {
      world,
      isOwnRendezvous: plan.isOwnRendezvous,
      onDown: async (/** @type {import('./chaosNode.mjs').ChaosNode} */ node) => {
        if (node.side === 'receiver') await this.#lookAtDisk()
      },
    }
  }

  /** @returns {Promise<RunResult>} */
  async go() {
    const { world, plan, stage } = this
    const cargo = makeCargo(this.input, new Chance(plan.seed ^ 0x5eed), plan.shape)
    this.cargo = cargo
    mkdirSync(this.output)
    const before = {
      names: readdirSync(world.folder),
      sources: JSON.stringify(describe(this.input)),
      sizes: sizesOf(this.#folders()),
    }
    for (const { pids } of world.nodes) resetPeakRss(pids.node)
    for (const node of world.nodes) node.shiftClock(0)
    const receivedBefore = world.network?.receivedBytes('receiver')
    for (const fault of plan.faults) arm(fault, stage)
    const watching = this.#watch()
    const faults = Promise.all(this.#chains().map((chain) => this.#bringAbout(chain)))
    await this.#enqueue(cargo).catch((error) => this.#trouble.push(String(error.message)))
    const allowedMs = END_MS + plan.faults.reduce((sum, { ms }) => sum + ms, 0)
    const deadline = performance.now() + allowedMs
    while (performance.now() < deadline && this.#trouble.length === 0 && !this.#isSettled()) await sleep(POLL_MS)
    this.#isOver = true
    await faults
    await watching
    const received = world.network?.receivedBytes('receiver')
    const evidence = {
      plan,
      cargo,
      output: this.output,
      samples: this.#samples,
      last: {
        sender: await world.sender.view(this.#ids.sender),
        receiver: await world.receiver.view(this.#ids.receiver),
      },
      ended: { sender: this.#ended('sender'), receiver: this.#ended('receiver') },
      missingAtCompletion: this.#missing,
      claimsNotHeld: this.#claims,
      stored: {
        sender: await this.#stored('sender'),
        receiver: await this.#stored('receiver'),
      },
      around: {
        before: before.names,
        after: readdirSync(world.folder).filter((name) => !/^(crash|clock)-/.test(name)),
      },
      sourcesChanged: JSON.stringify(describe(this.input)) === before.sources ? [] : ['the sources were changed'],
      secretsFound: searchSecrets(this.#folders(), before.sizes, this.#allSecrets()),
      resources: world.nodes.map(({ side, pids }) => ({
        side,
        peakRssBytes: usageOf(pids.node).peakRssBytes,
        openFiles: openFilesOf(pids.node),
      })),
      sentAgainBytes:
        received === undefined || receivedBefore === undefined
          ? undefined
          : Math.max(0, Math.round((received - receivedBefore - SMALL_TALK_BYTES) * PAYLOAD_SHARE) - cargo.bytes),
      resumes: this.#resumes(),
      trouble: this.#trouble,
    }
    const problems = CHECKERS.flatMap(({ name, check }) => check(evidence).map((text) => `${name}: ${text}`))
    if (problems.length === 0) await this.#forget()
    return {
      plan,
      shape: cargo.name,
      problems,
      inflicted: this.#inflicted,
      missed: plan.faults.length - this.#inflicted.length,
      resumes: evidence.resumes,
      sentAgainBytes: evidence.sentAgainBytes,
      seconds: (performance.now() - this.#startedAt) / 1000,
      folders: [this.input, this.output],
    }
  }

  /** Faults that follow one another; a planned crash comes when it comes. */
  #chains() {
    const planned = this.plan.faults.filter(({ kind }) => kind === 'crashPoint')
    return [this.plan.faults.filter(({ kind }) => kind !== 'crashPoint'), ...planned.map((fault) => [fault])]
  }

  /** @param {readonly import('./plan.mjs').Fault[]} chain */
  async #bringAbout(chain) {
    for (const fault of chain) {
      while (!this.#isDue(fault)) {
        if (this.#isOver) return
        await sleep(15)
      }
      if (fault.kind !== 'crashPoint') await sleep(fault.at.delayMs)
      if (this.#isOver) return
      const wasFlowing = this.#isFlowing()
      if (fault.kind !== 'crashPoint') await this.#lookAtDisk()
      const downAt = performance.now()
      try {
        const backAt = await inflict(fault, this.stage)
        this.#inflicted.push({ kind: fault.kind, point: fault.point, side: fault.side, downAt, backAt, wasFlowing })
      } catch (error) {
        this.#trouble.push(`${fault.kind}: ${error.message}`)
      }
    }
  }

  /** @param {import('./plan.mjs').Fault} fault */
  #isDue({ kind, side, at, ...rest }) {
    if (kind === 'crashPoint') return hasFired({ kind, side, at, ...rest }, this.stage)
    if (at.fraction < 0) return this.#ids.receiver !== ''
    const view = this.#samples.findLast(({ receiver }) => receiver !== undefined)?.receiver
    return view !== undefined && view.bytesTotal > 0 && view.bytesDone >= view.bytesTotal * at.fraction
  }

  /** Whether data was under way when last looked. */
  #isFlowing() {
    const view = this.#samples.findLast(({ receiver }) => receiver !== undefined)?.receiver
    return view !== undefined && view.state === 'transferring' && view.bytesDone > 0
  }

  async #lookAtDisk() {
    const { receiver } = this.#ids
    if (receiver === '' || this.cargo === undefined) return
    this.#claims.push(...((await claimsNotHeld(this.world.receiver, receiver, this.output, this.cargo)) ?? []))
  }

  /** Both submissions, again and again until they are taken: each is the same one. @param {import('./shapes.mjs').Cargo} cargo */
  async #enqueue(cargo) {
    const { world, plan } = this
    const sent = await this.#submit(world.sender, 'transfers.enqueueSend', {
      paths: cargo.paths,
      limit: cargo.limit,
      ...(plan.isOwnRendezvous ? {} : { rendezvous: world.rendezvousUrl }),
    })
    this.#ids.sender = sent.transferId
    const words = sent.code.replace(/@.*/, '').split('-').slice(1).join('-')
    this.#secrets.add(words)
    const taken = await this.#submit(world.receiver, 'transfers.enqueueReceive', {
      code: sent.code,
      output: this.output,
      yes: true,
      ...(plan.isOwnRendezvous ? {} : { rendezvous: world.rendezvousUrl }),
    })
    this.#ids.receiver = taken.transferId
  }

  /** @param {import('./chaosNode.mjs').ChaosNode} node @param {string} procedure @param {object} input */
  async #submit(node, procedure, input) {
    const submissionId = randomUUID()
    /** @type {unknown} */
    let last
    for (const deadline = performance.now() + ENQUEUE_MS; performance.now() < deadline; await sleep(100)) {
      try {
        const line = await node.call('mutation', procedure, { ...input, submissionId })
        if (procedure !== 'transfers.enqueueSend' || line.code !== undefined) return line
        last = new Error('the send has no code')
      } catch (error) {
        last = error
      }
    }
    throw last
  }

  async #watch() {
    let secretsAt = 0
    const { sender, receiver } = this.world
    while (!this.#isOver) {
      const at = performance.now()
      const [left, right] = await Promise.all([
        this.#ids.sender === '' ? undefined : sender.view(this.#ids.sender),
        this.#ids.receiver === '' ? undefined : receiver.view(this.#ids.receiver),
      ])
      this.#samples.push({ at, sender: left, receiver: right })
      for (const [side, view] of /** @type {const} */ ([
        ['sender', left],
        ['receiver', right],
      ])) {
        if (view?.state === 'completed' && !this.#completed.has(side)) {
          this.#completed.add(side)
          this.#missing.push(...this.#differences().map((text) => `when the ${side} said so, ${text}`))
        }
      }
      for (const node of this.world.nodes) node.lookAtAof()
      if (at - secretsAt > SECRETS_EVERY_MS) {
        secretsAt = at
        collectSecrets(this.world.nodes, this.#secrets)
      }
      await sleep(POLL_MS)
    }
  }

  /** @param {import('./network.mjs').Side} side @returns {Promise<import('./checkers/eventsFold.mjs').StoredTransfer>} */
  #stored(side) {
    const transferId = this.#ids[side]
    return readStored(this.world[side], transferId).catch(() => ({ transferId, stream: [], projection: null }))
  }

  #differences() {
    return (this.cargo?.paths ?? []).flatMap((path) =>
      differences(path, join(this.output, path.slice(this.input.length + 1))),
    )
  }

  #isSettled() {
    const last = this.#samples.at(-1)
    return /** @type {const} */ (['sender', 'receiver']).every((side) => {
      const view = last?.[side]
      if (view !== undefined) return FINAL.includes(view.state)
      return losesLog(this.plan, side) && this.#ended(side) === 'completed'
    })
  }

  /** What a side's record says of the transfer's end. @param {import('./network.mjs').Side} side @returns {string | null} */
  #ended(side) {
    try {
      const file = join(this.world[side].dataDir, 'transfers', `${this.#ids[side]}.json`)
      return JSON.parse(readFileSync(file, 'utf8')).ended
    } catch {
      return null
    }
  }

  /**
   * From when what a fault broke was back until the receiver had more than then. Of faults that overlap, the last one is
   * measured.
   */
  #resumes() {
    return this.#inflicted
      .filter(
        ({ wasFlowing, backAt }) =>
          wasFlowing && !this.#inflicted.some((other) => other.downAt > backAt && other.downAt < backAt + 100),
      )
      .flatMap(({ kind, backAt, downAt }) => {
        const doneBefore = this.#samples.findLast(
          ({ at, receiver }) => at <= downAt && receiver !== undefined,
        )?.receiver
        if (doneBefore === undefined || doneBefore.state === 'completed') return []
        const next = this.#inflicted.find((other) => other.downAt > backAt)?.downAt ?? Number.POSITIVE_INFINITY
        const after = this.#samples.filter(({ at, receiver }) => at >= backAt && receiver !== undefined)
        const lowest = after[0]?.receiver.bytesDone ?? 0
        const running = after.find(
          ({ receiver }) =>
            receiver.state === 'completed' ||
            receiver.state === 'verifying' ||
            (receiver.session?.isOpen === true && receiver.bytesDone > lowest),
        )
        return running === undefined || running.at > next ? [] : [{ kind, ms: Math.max(0, running.at - backAt) }]
      })
  }

  #folders() {
    return [this.world.sender.dataDir, this.world.receiver.dataDir, this.world.rendezvousDir]
  }

  #allSecrets() {
    const tokens = this.world.nodes.map(({ dataDir }) => readFileSync(join(dataDir, 'token'), 'utf8').trim())
    return new Set([...this.#secrets, ...tokens])
  }

  /** Takes the run's traces away, so that a world serves for many. */
  async #forget() {
    for (const side of /** @type {const} */ (['sender', 'receiver'])) {
      await this.world[side].call('mutation', 'transfers.remove', { transferId: this.#ids[side] }).catch(() => {})
    }
    rmSync(this.input, { recursive: true })
    rmSync(this.output, { recursive: true })
  }
}

/** @param {string} folder @returns {unknown} names, sizes and times. */
const describe = (folder) =>
  readdirSync(folder, { withFileTypes: true, recursive: true }).map((entry) =>
    join(entry.parentPath ?? entry.path, entry.name),
  )

/** @param {number | undefined} pid */
function openFilesOf(pid) {
  try {
    return readdirSync(`/proc/${pid}/fd`).length
  } catch {
    return 0
  }
}
