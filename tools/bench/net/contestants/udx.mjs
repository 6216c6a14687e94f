/** udx-native: streams over UDP with BBR, from npm. It does not encrypt. */
import { createRequire } from 'node:module'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Child } from '../../child.mjs'
import { timedRun } from './contestant.mjs'

const PROGRAM = fileURLToPath(new URL('../programs/udxPeer.mjs', import.meta.url))

/** @returns {import('./contestant.mjs').Contestant} */
export const udx = () => ({
  name: 'udx',
  label: 'udx-native (no encryption)',
  missing: ({ peersFolder }) => {
    try {
      createRequire(join(peersFolder, 'package.json')).resolve('udx-native')
      return undefined
    } catch {
      return `udx-native is not installed in ${peersFolder}`
    }
  },
  enter:
    async ({ cleanUp, hosts, peersFolder }) =>
    async (task) => {
      const { a, b } = hosts
      const file = join(task.output, basename(task.payload.path))
      const peer = (/** @type {import('../hosts.mjs').Host} */ host, /** @type {readonly string[]} */ args) =>
        new Child(cleanUp, process.execPath, [PROGRAM, peersFolder, ...args], { namespace: host.namespace })
      const receiver = peer(b, ['receive', b.address, a.address, file])
      await receiver.said(lineOf('ready'))
      const sender = peer(a, ['send', a.address, b.address, task.payload.path])
      await sender.said(lineOf('begin'))
      const end = () => Promise.all([sender.kill(), receiver.kill()])
      try {
        return await timedRun(task, { finished: receiver.said(lineOf('end')), end })
      } finally {
        await end()
      }
    },
})

const lineOf = (/** @type {string} */ type) => JSON.stringify({ type })
