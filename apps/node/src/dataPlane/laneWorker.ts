/**
 * The worker thread of lanes: it owns their sockets, and all that happens per packet. The main thread keeps Redis, the jobs
 * and the API; between the two go only the messages of `messages.ts`.
 */
import { parentPort } from 'node:worker_threads'
import { assert } from '@godwit/protocol/assert'
import { makePools } from './bufferPool.js'
import { Lanes } from './lanes.js'
import type { LaneCommand } from './messages.js'

// A forged packet must not pay for a stack trace.
Error.stackTraceLimit = 0

assert(parentPort !== null, 'a lane runs in a worker thread')
const port = parentPort
const lanes = new Lanes(makePools(), (report) => port.postMessage(report))

port.on('message', (command: LaneCommand) => lanes.handle(command))
