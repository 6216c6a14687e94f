/**
 * The lanes of one thread, by their keys: takes the main thread's commands and tells each lane. Where the messages come
 * from and go to is the caller's: a worker's port, or a simulated thread.
 */
import type { LanePools } from './bufferPool.js'
import { LaneLoop } from './laneLoop.js'
import { LaneSession } from './laneSession.js'
import type { LaneCommand, LaneReport } from './messages.js'
import { SideLane } from './sideLane.js'

/** A lane from its bound socket on; what it carries is decided when it starts. */
interface Lane {
  readonly loop: LaneLoop
  readonly session: LaneSession
  side: SideLane | undefined
}

export class Lanes {
  readonly #lanes = new Map<string, Lane>()
  readonly #pools: LanePools
  readonly #post: (report: LaneReport) => void

  constructor(pools: LanePools, post: (report: LaneReport) => void) {
    this.#pools = pools
    this.#post = post
  }

  handle(command: LaneCommand): void {
    const { key } = command
    if (command.type === 'open') {
      void this.#open(key, command.host)
      return
    }
    // A command for a lane that has ended meanwhile crossed its end on the way.
    const lane = this.#lanes.get(key)
    if (lane === undefined) return
    const { loop, session } = lane
    switch (command.type) {
      case 'raw':
        loop.sendRaw(command.ip, command.port, command.bytes)
        break
      case 'start':
        session.start(command.session, command.transfer)
        break
      case 'startSide':
        lane.side = new SideLane(key, loop, this.#pools.shared, this.#post, () => void this.#lanes.delete(key))
        lane.side.start(command.session, command.role, command.port)
        break
      case 'attachLane':
        session.attachLane(command.port)
        break
      case 'offerLanes':
        session.offerLanes(command.lanes)
        break
      case 'answerLanes':
        session.answerLanes(command.lanes)
        break
      case 'begin':
        void session.begin(command.begin)
        break
      case 'decline':
        session.decline()
        break
      case 'confirmDurable':
        session.confirmDurable(command.ranges)
        break
      case 'requestRetransmit':
        session.requestRetransmit(command.ranges, command.reason)
        break
      case 'requeue':
        session.requeue(command.ranges, command.reason)
        break
      case 'confirmCompletion':
        session.confirmCompletion()
        break
      case 'announceFiles':
        session.announceFiles(command.first, command.count)
        break
      case 'announceCompletion':
        session.announceCompletion(command.bytes, command.milliseconds, command.missing)
        break
      case 'leaveOut':
        session.leaveOut(command.files, command.code)
        break
      case 'setLimit':
        loop.setLimit(command.limit)
        break
      case 'fail':
        session.fail(command.failure)
        break
      case 'close':
        if (lane.side === undefined) session.close(command.code)
        else lane.side.close(command.code)
        break
    }
  }

  async #open(key: string, host: string): Promise<void> {
    const onOver = (): void => void this.#lanes.delete(key)
    const loop = new LaneLoop(key, this.#post)
    const session = new LaneSession(key, loop, this.#pools, this.#post, onOver)
    this.#lanes.set(key, { loop, session, side: undefined })
    if (!(await loop.open(host))) onOver()
  }
}
