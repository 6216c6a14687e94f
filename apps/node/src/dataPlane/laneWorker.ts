/**
 * The worker thread of one lane: it owns the lane's sockets, one per session, and all that happens per packet. The main
 * thread keeps Redis, the jobs and the API; between the two go only the messages of `messages.ts`.
 */
import { parentPort } from 'node:worker_threads'
import { assert } from '@godwit/protocol/assert'
import { SlabPool } from './bufferPool.js'
import { LaneSession } from './laneSession.js'
import type { LaneCommand, LaneReport } from './messages.js'

// A forged packet must not pay for a stack trace.
Error.stackTraceLimit = 0

assert(parentPort !== null, 'a lane runs in a worker thread')
const port = parentPort
const pool = new SlabPool()
const sessions = new Map<string, LaneSession>()
const post = (report: LaneReport): void => port.postMessage(report)

port.on('message', (command: LaneCommand) => {
  if (command.type === 'open') {
    const session = new LaneSession(command.key, pool, post, () => sessions.delete(command.key))
    sessions.set(command.key, session)
    void session.open(command.host)
    return
  }
  // A command for a session that has ended meanwhile crossed its end on the way.
  const session = sessions.get(command.key)
  if (session === undefined) return
  switch (command.type) {
    case 'raw':
      session.sendRaw(command.ip, command.port, command.bytes)
      break
    case 'start':
      session.start(command.session, command.transfer)
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
      session.setLimit(command.limit)
      break
    case 'fail':
      session.fail(command.failure)
      break
    case 'close':
      session.close(command.code)
      break
  }
})
