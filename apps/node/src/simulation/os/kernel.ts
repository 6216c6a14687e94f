/**
 * The operating system of the simulation: virtual time, chance from a seed, and processes that can be killed or stand
 * still. Code of the node runs in it as it is: the modules beside this one stand in for Node's (`tools/sim/osHooks.mjs`), and
 * each finds out here in which process it was called.
 *
 * A process that was killed does nothing any more: its timers do not fire, and whatever it waits for never comes.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { SeededRandom } from '@godwit/engine/testing/random'
import { VirtualClock } from '@godwit/engine/testing/virtualClock'
import { assert } from '@godwit/protocol/assert'
import type { VirtualDisk } from './disk.js'
import type { VirtualNetwork } from './network.js'

/** The wall clock when a simulation begins: 2026-01-01. */
const EPOCH_MS = 1_767_225_600_000

/** A computer: what is left of it when its processes die. */
export interface Host {
  readonly name: string
  readonly ip: string
  readonly disk: VirtualDisk
  /** Milliseconds that its wall clock is ahead. */
  clockSkewMs: number
}

export class SimProcess {
  readonly host: Host
  readonly kernel: Kernel
  isAlive = true
  /** Until then it is stopped, as by SIGSTOP. */
  stoppedUntilUs = 0
  /** Called before and after each step that lasts; may kill. */
  onStep: (step: string) => void = () => {}
  /** Descriptors open now. */
  descriptors = 0
  /** Called when it dies, to free what the system holds of it. */
  readonly onDeath = new Set<() => void>()

  constructor(kernel: Kernel, host: Host) {
    this.kernel = kernel
    this.host = host
  }

  run<T>(act: () => T): T {
    return current.run(this, act)
  }

  kill(): void {
    if (!this.isAlive) return
    this.isAlive = false
    for (const free of this.onDeath) free()
    this.onDeath.clear()
  }

  /** A system call that lasts up to `maxUs` and takes effect at its end. Never settles for a process that is dead. */
  call<T>(name: string, maxUs: number, effect: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.kernel.after(1 + this.kernel.random.below(maxUs), this, () => {
        this.onStep(name)
        if (!this.isAlive) return
        let done: () => void
        try {
          const value = effect()
          done = () => resolve(value)
        } catch (error) {
          done = () => reject(error)
        }
        this.onStep(`${name} done`)
        if (this.isAlive) done()
      })
    })
  }
}

const current = new AsyncLocalStorage<SimProcess>()

/** The process that the caller runs in; undefined outside of all. */
export const currentProcess = (): SimProcess | undefined => current.getStore()

/** What a synchronous call of a process that is dead throws: nothing else stops its caller. */
export class ProcessDead extends Error {
  override readonly name = 'ProcessDead'
}

/** The process of a caller that has to be in one; perhaps dead, and then nothing that it asks for is ever answered. */
export const callingProcess = (): SimProcess => {
  const process = current.getStore()
  assert(process !== undefined, 'only a process makes system calls')
  return process
}

/** The process of a caller that has to be in one, and alive. */
export const ownProcess = (): SimProcess => {
  const process = callingProcess()
  if (!process.isAlive) throw new ProcessDead()
  return process
}

let running: Kernel | undefined

/** The kernel of the simulation under way. */
export const kernel = (): Kernel => {
  assert(running !== undefined, 'a simulation is under way')
  return running
}

/** Kept from before the globals are replaced. */
const realImmediate = setImmediate

export class Kernel {
  readonly clock = new VirtualClock<() => void>()
  readonly random: SeededRandom
  /** What Node's crypto and Math.random give: apart, so that more or fewer nonces change nothing else. */
  readonly entropy: SeededRandom
  network: VirtualNetwork | undefined
  #trace: ((line: string) => void) | undefined
  steps = 0
  /** What no process has caught. */
  readonly bugs: unknown[] = []

  constructor(seed: number, trace?: (line: string) => void) {
    this.random = new SeededRandom(seed)
    this.entropy = new SeededRandom(seed ^ 0x5eed)
    this.#trace = trace
    running = this
  }

  get nowUs(): number {
    return this.clock.nowUs
  }

  /** Milliseconds since 1970 as the host of the calling process has it. */
  wallMs(): number {
    return EPOCH_MS + Math.floor(this.clock.nowUs / 1000) + (currentProcess()?.host.clockSkewMs ?? 0)
  }

  get isTraced(): boolean {
    return this.#trace !== undefined
  }

  trace(text: string): void {
    if (this.#trace === undefined) return
    const host = currentProcess()?.host.name ?? 'world'
    this.#trace(`${(this.clock.nowUs / 1e6).toFixed(6).padStart(11)} ${host.padEnd(8)} ${text}`)
  }

  /** Arranges `act` in `us` microseconds, in `process` unless that is dead by then. */
  after(us: number, process: SimProcess | undefined, act: () => void): void {
    this.at(this.clock.nowUs + us, process, act)
  }

  at(atUs: number, process: SimProcess | undefined, act: () => void): void {
    this.clock.schedule(atUs, () => {
      if (process === undefined) {
        act()
        return
      }
      if (!process.isAlive) return
      if (process.stoppedUntilUs > this.clock.nowUs) this.at(process.stoppedUntilUs, process, act)
      else process.run(act)
    })
  }

  /** Lets things happen until `isDone`, at most until `untilUs` and for `maxSteps`. Whether it was done. */
  async run(isDone: () => boolean, untilUs: number, maxSteps: number): Promise<boolean> {
    const untilStep = this.steps + maxSteps
    while (!isDone()) {
      if (this.bugs.length > 0 || this.steps >= untilStep) return false
      const act = this.clock.take(untilUs)
      if (act === undefined) {
        this.clock.nowUs = Math.max(this.clock.nowUs, untilUs)
        return false
      }
      this.steps += 1
      try {
        act()
      } catch (error) {
        this.bugs.push(error)
      }
      // Whatever follows from it by promises alone takes no time.
      await new Promise<void>((resolve) => realImmediate(resolve))
    }
    return true
  }
}
