/**
 * uftp, encrypted with AES-256-GCM, to one receiver, told the link's rate, which the others have to find out. It is
 * told the receiver's number too, else it announces itself for 10 s to whoever may come. Its time is that of its own report.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram } from '../../../setUp/paths.mjs'
import { Child } from '../../child.mjs'
import { untilListening } from '../hosts.mjs'
import { timedRun } from './contestant.mjs'
import { elapsedIn } from './reports.mjs'

/** uftp's own. */
const PORT = 1044
const SOCKET_BUFFER_BYTES = 4 * 2 ** 20
/** The receiver's number. */
const RECEIVER = '0x00000002'
/** Kilobits a second on a link without a rate: more than it reaches. */
const RATE_WITHOUT_LINK_KBPS = 10_000_000

/** @returns {import('./contestant.mjs').Contestant} */
export const uftp = () => ({
  name: 'uftp',
  label: 'uftp, AES-256-GCM, told the rate',
  missing: () => {
    const program = ['uftp', 'uftpd'].find((one) => findProgram(one) === undefined)
    return program === undefined ? undefined : `${program} is not installed`
  },
  enter:
    async ({ cleanUp, hosts, link, folder }) =>
    async (task) => {
      const logs = join(folder, 'uftp')
      mkdirSync(logs, { recursive: true })
      const buffer = ['-B', String(SOCKET_BUFFER_BYTES)]
      const receiver = new Child(
        cleanUp,
        'uftpd',
        ['-d', '-U', RECEIVER, '-D', task.output, ...buffer, '-F', join(logs, 'status')],
        { namespace: hosts.b.namespace, cwd: logs },
      )
      await untilListening(hosts.b, 'udp', PORT)
      const rate = link.kind === 'emulated' ? link.rateMbit * 1000 : RATE_WITHOUT_LINK_KBPS
      const crypto = ['-Y', 'aes256-gcm', '-h', 'sha256']
      const to = ['-M', hosts.b.address, '-H', RECEIVER]
      const args = [...to, '-R', String(rate), ...crypto, ...buffer, task.payload.path]
      const sender = new Child(cleanUp, 'uftp', args, { namespace: hosts.a.namespace, cwd: logs })
      let report = ''
      const finished = sender.finished.then(({ exitCode, stdout, stderr }) => {
        report = stdout + stderr
        if (exitCode !== 0) throw new Error(`uftp ended with ${exitCode}: ${report}`)
      })
      try {
        return await timedRun(
          task,
          { finished, end: () => sender.kill() },
          (wallSeconds) => elapsedIn(report) ?? wallSeconds,
        )
      } finally {
        await receiver.kill()
      }
    },
})
