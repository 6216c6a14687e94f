/**
 * srt-file-transmit, encrypted with AES-256, with buffers that fit the link: with those that it has by itself it hardly
 * moves over a long one.
 */
import { basename, join } from 'node:path'
import { findProgram } from '../../../setUp/paths.mjs'
import { Child } from '../../child.mjs'
import { untilListening } from '../hosts.mjs'
import { timedRun } from './contestant.mjs'

const PROGRAM = 'srt-file-transmit'
const PORT = 9000
const SECRET = 'passphrase=not-a-secret-here&pbkeylen=32'
/** Packets and bytes in flight at most: 64 MB are more than any row's link holds. */
const BUFFERS = 'fc=131072&rcvbuf=64000000&sndbuf=64000000'

/** @returns {import('./contestant.mjs').Contestant} */
export const srt = () => ({
  name: 'srt',
  label: 'srt-file-transmit, AES-256',
  missing: () => (findProgram(PROGRAM) === undefined ? `${PROGRAM} is not installed` : undefined),
  enter:
    async ({ cleanUp, hosts }) =>
    async (task) => {
      const listen = `srt://${hosts.b.address}:${PORT}?mode=listener&${SECRET}&${BUFFERS}`
      // The name is told here too: the one that the sender tells is now and then not there yet when the file is opened.
      const target = `file://${join(task.output, basename(task.payload.path))}`
      const receiver = new Child(cleanUp, PROGRAM, ['-q', listen, target], {
        namespace: hosts.b.namespace,
      })
      await untilListening(hosts.b, 'udp', PORT)
      const call = `srt://${hosts.b.address}:${PORT}?${SECRET}&${BUFFERS}`
      const sender = new Child(cleanUp, PROGRAM, ['-q', `file://${task.payload.path}`, call], {
        namespace: hosts.a.namespace,
      })
      const end = () => Promise.all([sender.kill(), receiver.kill()])
      const finished = Promise.all([sender.finished, receiver.finished]).then(([sent, received]) => {
        if (sent.exitCode !== 0 || received.exitCode !== 0)
          throw new Error(`${PROGRAM} ended with ${sent.exitCode}: ${sent.stderr}${received.stderr}`)
      })
      return timedRun(task, { finished, end })
    },
})
