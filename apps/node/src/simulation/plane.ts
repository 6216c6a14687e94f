/**
 * The data plane of a simulated node: the production lanes, sessions, sockets and disks, in the process itself instead of
 * in worker threads. What crosses between the threads is copied and takes time, in order, as there.
 */
import type { BufferPool } from '@godwit/engine/transfer/ports'
import { fail, ok } from '@godwit/protocol/errors'
import type { LanePools } from '../dataPlane/bufferPool.js'
import type { DataSession, SessionCommand, SessionReport } from '../dataPlane/dataPlane.js'
import { Lanes } from '../dataPlane/lanes.js'
import type { LaneCommand, LaneReport, SessionParameters } from '../dataPlane/messages.js'
import type { SessionOpener } from '../runs/runContext.js'
import type { SimProcess } from './os/kernel.js'

/** Microseconds that a message between the threads takes at the most. */
const CROSSING_US = 200

/** A pool that makes every buffer anew and counts those that are out. */
export class CountingPool implements BufferPool {
  readonly #extraBytes: number
  bytesOut = 0

  /** @param extraBytes - what every buffer counts more than it has: 0, but in a world that is broken on purpose. */
  constructor(extraBytes: number) {
    this.#extraBytes = extraBytes
  }

  take(length: number): Uint8Array {
    this.bytesOut += length + this.#extraBytes
    return new Uint8Array(length)
  }

  give(buffer: Uint8Array): void {
    this.bytesOut -= buffer.length + this.#extraBytes
  }
}

export interface PlaneEvents {
  /** A session gets its keys. What it hands back is started instead. */
  readonly onStart: (session: SessionParameters, role: 'sender' | 'receiver') => SessionParameters
  /** See `CountingPool`. */
  readonly extraBufferBytes: number
}

export class SimPlane implements SessionOpener {
  readonly #process: SimProcess
  readonly #events: PlaneEvents
  readonly #lanes: Lanes
  readonly #opened = new Map<
    string,
    { readonly onReport: (report: SessionReport) => void; onOpened: ((report: LaneReport) => void) | undefined }
  >()
  readonly pool: CountingPool
  #nextKey = 1
  #commandsDueUs = 0
  #reportsDueUs = 0

  constructor(process: SimProcess, events: PlaneEvents) {
    this.#process = process
    this.#events = events
    this.pool = new CountingPool(events.extraBufferBytes)
    const pools: LanePools = { own: this.pool, shared: this.pool }
    this.#lanes = new Lanes(pools, (report) => {
      const copy = structuredClone(report)
      this.#reportsDueUs = this.#crossing(this.#reportsDueUs, () => this.#onReport(copy))
    })
  }

  /** Lanes that have not told their end. */
  get laneCount(): number {
    return this.#opened.size
  }

  open(onReport: (report: SessionReport) => void): ReturnType<SessionOpener['open']> {
    const key = `l${this.#nextKey++}`
    return new Promise((resolve) => {
      const command: DataSession['command'] = (command) => this.#command({ ...command, key } as LaneCommand)
      this.#opened.set(key, {
        onReport,
        onOpened: (report) =>
          resolve(
            report.type === 'opened'
              ? ok({ port: report.port, command })
              : fail('ERR_NO_PATH', 'a socket could not be opened'),
          ),
      })
      this.#command({ type: 'open', key, host: this.#process.host.ip })
    })
  }

  #command(command: LaneCommand): void {
    const copy = structuredClone(this.#distorted(command))
    this.#commandsDueUs = this.#crossing(this.#commandsDueUs, () => {
      if (copy.type !== 'open' && copy.type !== 'start') this.#process.kernel.trace(`command ${describeCommand(copy)}`)
      this.#lanes.handle(copy)
    })
  }

  #distorted(command: LaneCommand): LaneCommand {
    if (command.type !== 'start') return command
    return { ...command, session: this.#events.onStart(command.session, command.transfer.role) }
  }

  #crossing(dueUs: number, act: () => void): number {
    const { kernel } = this.#process
    const atUs = Math.max(dueUs, kernel.nowUs + 1 + kernel.random.below(CROSSING_US))
    kernel.at(atUs, this.#process, act)
    return atUs
  }

  #onReport(report: LaneReport): void {
    const lane = this.#opened.get(report.key)
    if (lane === undefined) return
    if (report.type !== 'raw') this.#process.kernel.trace(`report ${describeReport(report)}`)
    switch (report.type) {
      case 'opened':
      case 'openFailed':
        if (report.type === 'openFailed') this.#opened.delete(report.key)
        lane.onOpened?.(report)
        lane.onOpened = undefined
        return
      case 'ended':
        this.#opened.delete(report.key)
        break
    }
    lane.onReport(report)
  }
}

const describeCommand = (command: Extract<SessionCommand, { type: string }> & { key: string }): string => {
  const code = command.type === 'close' ? ` ${command.code}` : ''
  const failure = command.type === 'fail' ? ` ${command.failure.code}` : ''
  return `${command.key} ${command.type}${code}${failure}`
}

const describeReport = (report: LaneReport): string => {
  const inner = report.type === 'sender' || report.type === 'receiver' ? ` ${report.report.type}` : ''
  const end = report.type === 'ended' ? ` ${report.cause} ${report.code}` : ''
  return `${report.key} ${report.type}${inner}${end}`
}
