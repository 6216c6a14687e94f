/**
 * Virtual time in place of the process's own: timers, `Date.now`, `performance.now` and `Math.random` of everything that
 * runs from then on. For a process that does nothing but simulate.
 */
import { currentProcess, kernel, type SimProcess } from './kernel.js'

class Timer {
  #isDue = true
  readonly #process: SimProcess | undefined
  readonly #act: () => void
  readonly #everyUs: number | undefined

  constructor(us: number, act: () => void, isRepeated: boolean) {
    this.#process = currentProcess()
    this.#act = act
    this.#everyUs = isRepeated ? us : undefined
    this.#arm(us)
  }

  #arm(us: number): void {
    kernel().after(us, this.#process, () => {
      if (!this.#isDue) return
      if (this.#everyUs === undefined) this.#isDue = false
      else this.#arm(this.#everyUs)
      this.#act()
    })
  }

  clear(): void {
    this.#isDue = false
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  hasRef(): boolean {
    return true
  }
}

type Callback = (...args: readonly unknown[]) => void

const microseconds = (ms: number | undefined): number => Math.max(1, Math.round((ms ?? 1) * 1000))
const clear = (timer: unknown): void => {
  if (timer instanceof Timer) timer.clear()
}

/** Replaces the globals, for the rest of this process's life. */
export const installVirtualTime = (): void => {
  const replacements: Readonly<Record<string, unknown>> = {
    setTimeout: (act: Callback, ms?: number, ...args: readonly unknown[]) =>
      new Timer(microseconds(ms), () => act(...args), false),
    setInterval: (act: Callback, ms?: number, ...args: readonly unknown[]) =>
      new Timer(microseconds(ms), () => act(...args), true),
    setImmediate: (act: Callback, ...args: readonly unknown[]) => new Timer(1, () => act(...args), false),
    clearTimeout: clear,
    clearInterval: clear,
    clearImmediate: clear,
  }
  for (const [name, value] of Object.entries(replacements)) {
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true })
  }
  Date.now = () => kernel().wallMs()
  performance.now = () => kernel().nowUs / 1000
  Math.random = () => kernel().entropy.next()
}
