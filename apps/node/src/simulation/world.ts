/**
 * One simulated transfer from a seed: a sender and a receiver, each with its disk and its Redis, a network and a
 * rendezvous between them, what happens to all of these, and the checkers that look on.
 */
import type { HandshakeCrypto } from '@godwit/engine/ports/handshakeCrypto'
import { assert } from '@godwit/protocol/assert'
import { ChunkPlan } from '@godwit/protocol/chunkPlan'
import { CREDIT_WINDOW_BYTES } from '@godwit/protocol/limits'
import { decodeManifest } from '@godwit/protocol/manifestCodec'
import type { TransferEvent } from '@godwit/protocol/transferEvents'
import type { SessionParameters } from '../dataPlane/messages.js'
import type { Rendezvous } from '../runs/runContext.js'
import { MemoryRooms } from '../runs/testing/memoryRooms.js'
import { codeOf } from '../transfers/codeOf.js'
import { enqueueReceive, enqueueSend } from '../transfers/enqueue.js'
import { type Cargo, loadCargo } from './cargo.js'
import { alwaysEnds } from './checkers/alwaysEnds.js'
import { type Checker, CheckFailed, type WorldView } from './checkers/checker.js'
import { eventsReplayable } from './checkers/eventsReplayable.js'
import { filesEqual } from './checkers/filesEqual.js'
import { logWithinDisk } from './checkers/logWithinDisk.js'
import { memoryBounded } from './checkers/memoryBounded.js'
import { noFalseComplete } from './checkers/noFalseComplete.js'
import { nonceUnique } from './checkers/nonceUnique.js'
import { Computer, RENDEZVOUS } from './computer.js'
import { type Fault, LINKS, type Side, someFault } from './faults.js'
import type { Mutation } from './mutations.js'
import { Kernel, type SimProcess } from './os/kernel.js'
import { VirtualNetwork } from './os/network.js'
import { forgetDescriptors } from './os/nodeFs.js'

const SECOND_US = 1_000_000
/** Virtual time for what comes after everything is there again, and after the end for what lingers. */
const ENDING_US = 900 * SECOND_US
const LINGERING_US = 30 * SECOND_US
const SET_UP_US = 60 * SECOND_US
/** Steps of a whole world: more is a spin. */
const STEPS_MAX = 3_000_000
const SAMPLE_US = 200_000
/** How often a user looks whether something has failed. */
const LOOK_US = 10 * SECOND_US
const FAULTS_MAX = 6
const CALL_US = 30_000
/** Steps that change nothing: dying at one of them is like dying between two others. */
const IDLE_STEP = /^(?:read|lstat|fstat|project|access|close|statfs|readdir|version|scrypt|streams|lease)/

export interface WorldOptions {
  readonly seed: number
  readonly crypto: HandshakeCrypto
  readonly trace?: (line: string) => void
  readonly mutation?: Mutation
}

/** What came of a seed. */
export interface WorldResult {
  readonly seed: number
  /** Undefined where every checker was content. */
  readonly failure: unknown
  readonly faults: readonly Fault['is'][]
  readonly virtualSeconds: number
  readonly steps: number
  readonly lives: number
  readonly sessions: number
  /** How often somebody had to ask for another try. */
  readonly retries: number
}

export class World implements WorldView {
  readonly kernel: Kernel
  readonly network: VirtualNetwork
  readonly rooms = new MemoryRooms()
  readonly sender: Computer
  readonly receiver: Computer
  readonly #mutation: Mutation | undefined
  readonly #checkers: readonly Checker[]
  readonly #cargo: Cargo
  readonly #ids: Record<Side, string> = { sender: '', receiver: '' }
  readonly #faults: Fault['is'][] = []
  /** A side that is to die, in so many steps. */
  #doomed: { readonly side: Side; readonly isPowerCut: boolean; readonly backUs: number; steps: number } | undefined
  #plan: ChunkPlan | undefined
  #files: WorldView['files'] = []
  #firstKeys: Pick<SessionParameters, 'trafficSecrets' | 'connectionIds'> | undefined
  #sessions = 0
  #retries = 0
  #healsAtUs = 0
  outcome = 'not ended'

  constructor({ seed, crypto, trace, mutation }: WorldOptions) {
    this.kernel = new Kernel(seed, trace)
    this.#mutation = mutation
    this.network = new VirtualNetwork(this.kernel, this.kernel.random)
    this.network.tap((from, bytes) => {
      this.#check((checker) => checker.onDatagram?.(from, bytes))
    })
    this.#checkers = [
      noFalseComplete(),
      logWithinDisk(),
      eventsReplayable(),
      nonceUnique(),
      memoryBounded(),
      filesEqual(),
      alwaysEnds(),
    ]
    const computer = (name: Side, ip: string): Computer => {
      const made: Computer = new Computer(this.kernel, {
        name,
        ip,
        crypto,
        plane: {
          onStart: (session, role) => this.#onStart(session, role),
          extraBufferBytes: mutation === 'memoryBounded' ? CREDIT_WINDOW_BYTES : 0,
        },
        clientOf: (isAlive) => this.#client(isAlive),
        onStep: (_computer, process, step) => this.#onStep(name, process, step),
      })
      made.redis.onAppended = (recorded) => {
        if (mutation === 'filesEqual' && name === 'receiver' && recorded.type === 'TransferCompleted') this.#rot()
        this.#check((checker) => checker.onRecorded?.(this, made, recorded))
      }
      return made
    }
    this.sender = computer('sender', '10.0.0.1')
    this.receiver = computer('receiver', '10.0.0.2')
    this.#cargo = loadCargo(this.kernel.random, this.sender, this.receiver)
    this.#mutate()
  }

  get files(): WorldView['files'] {
    return this.#files
  }

  get plan(): ChunkPlan {
    assert(this.#plan !== undefined, 'the transfer was enqueued')
    return this.#plan
  }

  get bystanders(): WorldView['bystanders'] {
    return this.#cargo.bystanders
  }

  get receiverTransferId(): string {
    return this.#ids.receiver
  }

  async run(seed: number): Promise<WorldResult> {
    const { kernel } = this
    let failure: unknown
    try {
      await this.#simulate()
      // What a checker found comes before what follows from it.
      failure = kernel.bugs.find((bug) => bug instanceof CheckFailed) ?? kernel.bugs[0]
      if (failure === undefined) for (const checker of this.#checkers) await checker.atEnd?.(this)
    } catch (error) {
      failure = error
    }
    for (const { redis } of [this.sender, this.receiver]) redis.end()
    forgetDescriptors()
    return {
      seed,
      failure,
      faults: this.#faults,
      virtualSeconds: kernel.nowUs / SECOND_US,
      steps: kernel.steps,
      lives: this.sender.lives + this.receiver.lives,
      sessions: this.#sessions,
      retries: this.#retries,
    }
  }

  async #simulate(): Promise<void> {
    const { kernel } = this
    const { random } = kernel
    const names = Object.keys(LINKS)
    const name = names[random.below(names.length)] ?? 'lan'
    const rate = [300_000, 2_000_000, 12_500_000][random.below(3)] ?? 2_000_000
    this.network.setLinks({ ...LINKS[name], rate })
    this.network.mtuBytes = random.happens(0.3) ? 1300 : 1472
    kernel.trace(`link ${name} at ${rate} B/s, ${this.#cargo.totalBytes} bytes: ${this.#cargo.tops.join(', ')}`)
    this.sender.start()
    this.receiver.start()
    if (!(await this.#until(() => this.sender.life !== undefined && this.receiver.life !== undefined))) return
    if (!(await this.#enqueue())) return
    const expectedUs = (this.#cargo.totalBytes * SECOND_US) / rate
    this.#arrangeFaults(expectedUs)
    this.#sample()
    const untilUs = (): number => this.#healsAtUs + ENDING_US
    kernel.at(this.#healsAtUs, undefined, () => this.#heal())
    const isOver = await kernel.run(() => this.#haveBothEnded(), untilUs(), STEPS_MAX)
    if (isOver) await kernel.run(() => false, kernel.nowUs + LINGERING_US, STEPS_MAX)
    this.outcome = this.#describeOutcome()
  }

  async #until(isDone: () => boolean): Promise<boolean> {
    const isOver = await this.kernel.run(isDone, this.kernel.nowUs + SET_UP_US, STEPS_MAX)
    if (!isOver) this.kernel.bugs.push(new Error('setting up did not come to its end'))
    return isOver
  }

  /** A user on each side: one sends and reads the code out, the other one receives by it. */
  async #enqueue(): Promise<boolean> {
    let code: string | undefined
    this.sender.act(async (life) => {
      const enqueued = await enqueueSend(this.sender.enqueueDeps(life), {
        paths: this.#cargo.tops.map((top) => `/cargo/${top}`),
        submissionId: 'send',
        capacity: 1,
        receivers: undefined,
        lanes: 1,
        limit: null,
      })
      assert(enqueued.ok, 'the send is taken in')
      const { transferId } = enqueued.value.record
      this.#ids.sender = transferId
      this.#readManifest(life.records.readManifest(transferId))
      while (code === undefined) {
        await new Promise((resolve) => setTimeout(resolve, 20))
        const secrets = await life.secrets.read(transferId)
        const record = life.records.get(transferId)
        if (secrets.ok && record !== undefined) code = codeOf(await life.log.read(transferId), secrets.value, record)
      }
    })
    if (!(await this.#until(() => code !== undefined))) return false
    this.receiver.act(async (life) => {
      const enqueued = await enqueueReceive(this.receiver.enqueueDeps(life), {
        code,
        submissionId: 'receive',
        output: '/out',
        yes: true,
        limit: null,
      })
      assert(enqueued.ok, 'the receive is taken in')
      this.#ids.receiver = enqueued.value.record.transferId
    })
    return this.#until(() => this.#ids.receiver !== '')
  }

  #readManifest(bytes: Uint8Array | undefined): void {
    const decoded = bytes === undefined ? undefined : decodeManifest(bytes)
    assert(decoded?.ok === true, 'a sender keeps its manifest')
    this.#plan = ChunkPlan.of(decoded.value)
    const bytesOf = new Map(this.#cargo.files.map(({ path, bytes }) => [path, bytes]))
    this.#files = decoded.value.entries
      .filter(({ kind }) => kind === 'file')
      .map(({ path }) => ({ path: path.join('/'), bytes: bytesOf.get(path.join('/')) ?? new Uint8Array() }))
  }

  #arrangeFaults(expectedUs: number): void {
    const { kernel } = this
    const { random } = kernel
    const windowUs = Math.max(2 * SECOND_US, 2 * expectedUs)
    const count = this.#mutation === undefined ? random.below(FAULTS_MAX + 1) : 0
    this.#healsAtUs = kernel.nowUs
    for (let i = 0; i < count; i++) {
      // Most of them early, where most happens.
      const atUs = kernel.nowUs + Math.floor(random.next() * random.next() * windowUs)
      const fault = someFault(random)
      const forUs = 'forUs' in fault ? fault.forUs : 'backUs' in fault ? fault.backUs : 0
      this.#healsAtUs = Math.max(this.#healsAtUs, atUs + forUs)
      kernel.at(atUs, undefined, () => this.#meet(fault))
    }
    if (this.#mutation === 'nonceUnique') {
      const fault: Fault = { is: 'kill', side: 'receiver', isPowerCut: false, inSteps: 0, backUs: SECOND_US }
      const meet = (): void => {
        if (this.#sessions >= 2) this.#meet(fault)
        else kernel.after(SECOND_US / 20, undefined, meet)
      }
      meet()
    }
  }

  #meet(fault: Fault): void {
    const { kernel, network, rooms } = this
    kernel.trace(`fault ${JSON.stringify(fault)}`)
    this.#faults.push(fault.is)
    switch (fault.is) {
      case 'kill':
        if (fault.inSteps === 0) this.#kill(fault.side, fault.isPowerCut, fault.backUs)
        else {
          const { side, isPowerCut, backUs } = fault
          this.#doomed = { side, isPowerCut, backUs, steps: fault.inSteps }
        }
        return
      case 'killBoth':
        for (const side of ['sender', 'receiver'] as const) this.#kill(side, fault.isPowerCut, fault.backUs)
        return
      case 'leave': {
        const computer = this[fault.side]
        computer.leave(() => kernel.after(fault.backUs, undefined, () => computer.start()))
        return
      }
      case 'stop': {
        const process = this[fault.side].life?.process
        if (process !== undefined) process.stoppedUntilUs = kernel.nowUs + fault.forUs
        return
      }
      case 'redisAway': {
        const { redis } = this[fault.side]
        redis.isAway = true
        kernel.after(fault.forUs, undefined, () => {
          redis.isAway = false
        })
        return
      }
      case 'redisForgets':
        this.#kill(fault.side, true, fault.backUs)
        void this[fault.side].redis.forget(fault.us)
        return
      case 'dark':
        for (const side of fault.sides) network.dark.add(side)
        kernel.after(fault.forUs, undefined, () => {
          if (this.#mutation !== 'alwaysEnds') for (const side of fault.sides) network.dark.delete(side)
        })
        return
      case 'links':
        network.setLinks(fault.options)
        return
      case 'rebind': {
        const { host } = this[fault.side]
        network.rebind(host, fault.isOtherAddress ? `${host.ip}00` : host.ip)
        return
      }
      case 'rendezvousAway':
        rooms.isReachable = false
        kernel.after(fault.forUs, undefined, () => {
          rooms.isReachable = true
        })
        return
      case 'rendezvousForgets':
        // Before the two have paired there is nothing but the room that could bring them together.
        if (this.#sessions >= 2) rooms.lose()
        return
      case 'clock':
        this[fault.side].host.clockSkewMs += fault.byMs
        return
      case 'diskFull': {
        const { disk } = this.receiver.host
        disk.isFull = true
        kernel.after(fault.forUs, undefined, () => {
          disk.isFull = false
        })
        return
      }
      case 'pause': {
        const id = this.#ids[fault.side]
        this[fault.side].execute(id, { type: 'pause', reason: 'user', by: 'user' })
        kernel.after(fault.forUs, undefined, () => this[fault.side].execute(id, { type: 'resume', by: 'user' }))
        return
      }
    }
  }

  #kill(side: Side, isPowerCut: boolean, backUs: number): void {
    this.kernel.trace(`${side} dies${isPowerCut ? ' with its power' : ''}`)
    this[side].kill(isPowerCut)
    this.kernel.after(backUs, undefined, () => this[side].start())
  }

  #onStep(side: Side, process: SimProcess, step: string): void {
    if (IDLE_STEP.test(step)) return
    if (!step.endsWith(' done')) this.kernel.trace(`step ${step}`)
    const doomed = this.#doomed
    if (doomed?.side !== side || !process.isAlive) return
    doomed.steps -= 1
    if (doomed.steps > 0) return
    this.#doomed = undefined
    this.#kill(side, doomed.isPowerCut, doomed.backUs)
  }

  /** Everything is there again, and stays; from now on somebody looks after what has failed. */
  #heal(): void {
    this.kernel.trace('everything is there again')
    this.#doomed = undefined
    this.network.setLinks(LINKS['lan'] ?? {})
    this.sender.start()
    this.receiver.start()
    this.#look()
  }

  #look(): void {
    for (const side of ['sender', 'receiver'] as const) {
      const id = this.#ids[side]
      this[side].start()
      this[side].act(async ({ log }) => {
        const status = (await log.read(id))?.transfer.status
        if (status !== 'failed' && status !== 'paused') return
        if (status === 'failed') this.#retries += 1
        this.kernel.trace(`the user of the ${side} asks it to go on`)
        await log.execute(id, { type: status === 'failed' ? 'retry' : 'resume', by: 'user' })
      })
    }
    this.kernel.after(LOOK_US, undefined, () => this.#look())
  }

  #sample(): void {
    this.#check((checker) => checker.onSample?.(this))
    this.kernel.after(SAMPLE_US, undefined, () => this.#sample())
  }

  /** What a checker finds must not be swallowed by whom it looks at. */
  #check(look: (checker: Checker) => void): void {
    try {
      for (const checker of this.#checkers) look(checker)
    } catch (error) {
      this.kernel.bugs.push(error)
    }
  }

  #endOf(side: Side): string | undefined {
    const life = this[side].life
    if (life === undefined) return undefined
    return life.process.run(() => life.records.get(this.#ids[side])?.ended ?? undefined)
  }

  #haveBothEnded(): boolean {
    return this.#endOf('sender') !== undefined && this.#endOf('receiver') !== undefined
  }

  #describeOutcome(): string {
    const [sender, receiver] = [this.#endOf('sender'), this.#endOf('receiver')]
    if (sender === 'completed' && receiver === 'completed') return 'completed'
    return `sender ${sender ?? 'not ended'}, receiver ${receiver ?? 'not ended'}`
  }

  #onStart(session: SessionParameters, role: Side): SessionParameters {
    this.#sessions += 1
    const { trafficSecrets, connectionIds } = session
    this.#firstKeys ??= structuredClone({ trafficSecrets, connectionIds })
    const started = this.#mutation === 'nonceUnique' ? { ...session, ...structuredClone(this.#firstKeys) } : session
    this.#check((checker) => checker.onSession?.(started, role))
    return started
  }

  #client(isAlive: () => boolean): Rendezvous {
    const client = this.rooms.client(RENDEZVOUS, isAlive)
    const late = async <T>(call: () => Promise<T>): Promise<T> => {
      await this.#pause()
      const answer = await call()
      await this.#pause()
      return answer
    }
    return {
      ...client,
      open: (...args) => late(() => client.open(...args)),
      join: (...args) => late(() => client.join(...args)),
      command: (...args) => late(() => client.command(...args)),
      leave: (...args) => late(() => client.leave(...args)),
      post: (...args) => late(() => client.post(...args)),
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, this.kernel.random.below(CALL_US) / 1000))
  }

  #mutate(): void {
    const extra = (type: string, event: object) => (events: readonly TransferEvent[]) =>
      events.some((one) => one.type === type) ? [...events, event as TransferEvent] : events
    switch (this.#mutation) {
      case 'logWithinDisk':
        this.receiver.host.disk.isLying = true
        return
      case 'noFalseComplete':
        this.sender.redis.distort = extra('Accepted', { type: 'TransferCompleted', data: { bytes: 0, seconds: 0 } })
        return
      case 'eventsReplayable':
        this.sender.redis.distort = extra('Accepted', { type: 'LimitChanged', data: { limit: -1, by: 'user' } })
        return
      case 'alwaysEnds':
        this.kernel.after(SECOND_US, undefined, () =>
          this.#meet({ is: 'dark', sides: ['sender', 'receiver'], forUs: SECOND_US }),
        )
        return
      default:
        return
    }
  }

  /** Flips a bit of the largest file below the output folder. */
  #rot(): void {
    const { disk } = this.receiver.host
    this.kernel.after(1, undefined, () => {
      for (const path of disk.list('/out')) {
        const inode = path.endsWith('/') ? undefined : disk.lookUp(`/out/${path}`, 'open')
        if (inode !== undefined && inode.size > 0) inode.data[0] = (inode.data[0] ?? 0) ^ 1
      }
    })
  }
}
