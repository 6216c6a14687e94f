/**
 * The worker thread of lanes: it owns their sockets, and all that happens per packet. The main thread keeps Redis, the jobs
 * and the API; between the two go only the messages of `messages.ts`.
 */
import { parentPort } from 'node:worker_threads'
import { assert } from '@godwit/protocol/assert'
import { makePools } from './bufferPool.js'
import { LaneLoop } from './laneLoop.js'
import { LaneSession } from './laneSession.js'
import type { LaneCommand, LaneReport } from './messages.js'
import { SideLane } from './sideLane.js'

// A forged packet must not pay for a stack trace.
Error.stackTraceLimit = 0

assert(parentPort !== null, 'a lane runs in a worker thread')
const port = parentPort
const pools = makePools()
/** A lane from its bound socket on; what it carries is decided when it starts. */
const lanes = new Map<string, { readonly loop: LaneLoop; session: LaneSession; side: SideLane | undefined }>()
const post = (report: LaneReport): void => port.postMessage(report)

const open = async (key: string, host: string): Promise<void> => {
  const onOver = (): void => void lanes.delete(key)
  const loop = new LaneLoop(key, post)
  lanes.set(key, { loop, session: new LaneSession(key, loop, pools, post, onOver), side: undefined })
  if (!(await loop.open(host))) onOver()
}

port.on('message', (command: LaneCommand) => {
  const { key } = command
  if (command.type === 'open') {
    void open(key, command.host)
    return
  }
  // A command for a lane that has ended meanwhile crossed its end on the way.
  const lane = lanes.get(key)
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
      lane.side = new SideLane(key, loop, pools.shared, post, () => void lanes.delete(key))
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
      session.announceCompletion(command.bytes, command.milliseconds)
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
})
