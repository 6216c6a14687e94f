/** Follows a transfer's event log through `godwit events ID --follow --json` and lets the demo wait for what it says. */
import { type EventLine, eventLineSchema } from '@godwit/protocol/api'
import { GodwitCommand } from './godwitCommand.js'

const RESTARTS_MAX = 20

interface Waiter {
  readonly isMeant: (event: EventLine) => boolean
  readonly resolve: (event: EventLine) => void
}

export class LogFollower {
  readonly #args: readonly string[]
  readonly #environment: Readonly<Record<string, string | undefined>>
  readonly #events: EventLine[] = []
  readonly #waiters = new Set<Waiter>()
  #command: GodwitCommand | undefined
  #isStopped = false

  constructor(transferId: string, environment: Readonly<Record<string, string | undefined>>) {
    this.#args = ['events', transferId, '--follow', '--json']
    this.#environment = environment
    void this.#run()
  }

  /** Version of the last event seen; 0 before the first. */
  get version(): number {
    return this.#events.at(-1)?.version ?? 0
  }

  get events(): readonly EventLine[] {
    return this.#events
  }

  /** The first event after `afterVersion` that is meant, past or coming; undefined when `timeoutMs` have passed. */
  async waitFor(
    afterVersion: number,
    timeoutMs: number,
    isMeant: (event: EventLine) => boolean,
  ): Promise<EventLine | undefined> {
    const isMeantAfter = (event: EventLine) => event.version > afterVersion && isMeant(event)
    const past = this.#events.find(isMeantAfter)
    if (past !== undefined) return past
    return new Promise((resolve) => {
      const waiter: Waiter = {
        isMeant: isMeantAfter,
        resolve: (event) => {
          clearTimeout(timer)
          resolve(event)
        },
      }
      const timer = setTimeout(() => {
        this.#waiters.delete(waiter)
        resolve(undefined)
      }, timeoutMs)
      this.#waiters.add(waiter)
    })
  }

  /** A command that ends early is started again; events seen before are passed over by their version. */
  async #run(): Promise<void> {
    for (let start = 0; start < RESTARTS_MAX && !this.#isStopped; start++) {
      this.#command = new GodwitCommand(this.#args, this.#environment, {
        onLine: (line) => {
          const event = eventLineSchema.safeParse(line).data
          if (event !== undefined && event.version > this.version) this.#take(event)
        },
      })
      await this.#command.finished
    }
  }

  #take(event: EventLine): void {
    this.#events.push(event)
    for (const waiter of [...this.#waiters].filter(({ isMeant }) => isMeant(event))) {
      this.#waiters.delete(waiter)
      waiter.resolve(event)
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#command?.stop()
  }
}
