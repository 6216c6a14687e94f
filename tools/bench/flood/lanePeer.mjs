/**
 * One side of a session in a process of its own: the production lanes, driven by the messages of its parent in place of a
 * node's main thread.
 */
import { makePools } from '../../../apps/node/dist/dataPlane/bufferPool.js'
import { Lanes } from '../../../apps/node/dist/dataPlane/lanes.js'

Error.stackTraceLimit = 0
const lanes = new Lanes(makePools(), (report) => process.send?.(report))
process.on('message', (command) => lanes.handle(/** @type {never} */ (command)))
process.on('disconnect', () => process.exit(0))
