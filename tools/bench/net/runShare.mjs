/** Runs a row about sharing: Godwit beside another Godwit or beside TCP, and who got how much of the link, as it saw it. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Child } from '../child.mjs'
import { measureTransfer } from '../godwitTransfer.mjs'
import { sparsePayload } from '../payload.mjs'
import { startNodes } from './contestants/godwit.mjs'
import { onCourse, settle } from './course.mjs'
import { hasCongestionControl, useCongestionControl } from './hosts.mjs'
import { flowsBetween, queueOf, sampleAt } from './linkSamples.mjs'

const TCP_FLOW = fileURLToPath(new URL('./programs/tcpFlow.mjs', import.meta.url))
/** Seconds that TCP has the link for itself before Godwit comes. */
const HEAD_START_SECONDS = 5
/** Seconds that flows have to find each other before their shares count. */
const FINDING_SECONDS = 5
const BYTES_PER_MBIT = 125_000

/**
 * @typedef {{ sharePercent: number, utilisationPercent: number, queueMs: number }} ShareRun - the share of Godwit, or of
 * the smaller of two; how much of the link's rate all of them had together; the median wait in its queue.
 * @typedef {{ kind: 'share', row: import('./rows.mjs').ShareRow, runs: ShareRun[], failures: string[], absent: string | undefined }} ShareResult
 */

/**
 * @param {import('../cleanUp.mjs').CleanUp} cleanUp @param {import('./rows.mjs').ShareRow} row
 * @param {{ runs: number, seed: number, places: import('./course.mjs').Places, knows: (flag: string) => boolean,
 *   say: (text: string) => void }} options
 * @returns {Promise<ShareResult>}
 */
export async function runShare(cleanUp, row, { runs, seed, places, knows, say }) {
  const absent = whyAbsent(row, knows)
  /** @type {ShareResult} */
  const result = { kind: 'share', row, runs: [], failures: [], absent }
  if (absent !== undefined) return result
  const settings = {
    link: row.link,
    parent: places.memory,
    neededBytes: 4 * fileBytes(row),
    peersFolder: places.peers,
    seed,
  }
  await onCourse(cleanUp, settings, async (course) => {
    const pairs = [await startNodes(course, 'first')]
    if (row.rival === 'godwit') pairs.push(await startNodes(course, 'second'))
    // What is in it does not matter to the link.
    const payload = sparsePayload(join(course.folder, 'payload'), fileBytes(row))
    for (let turn = 0; turn < runs; turn++) {
      try {
        const run = await share(course, row, pairs, payload)
        result.runs.push(run)
        const { sharePercent, utilisationPercent, queueMs } = run
        const text = `${sharePercent.toFixed(1)} %, link used ${utilisationPercent.toFixed(0)} %, queue ${queueMs.toFixed(1)} ms`
        say(`  ${turn + 1}/${runs} ${text}`)
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error)
        result.failures.push(why)
        say(`  ${turn + 1}/${runs} failed: ${why}`)
      }
    }
  })
  return result
}

/** @param {import('./rows.mjs').ShareRow} row @param {(flag: string) => boolean} knows */
function whyAbsent({ flags, rival }, knows) {
  const unknown = flags.find((flag) => !knows(flag.split('=')[0]))
  if (unknown !== undefined) return `this build's godwit send has no ${unknown}`
  return rival === 'tcp' && !hasCongestionControl('cubic') ? 'this kernel has no cubic' : undefined
}

/** Bytes of a file that no flow gets to the end of in time. @param {import('./rows.mjs').ShareRow} row */
const fileBytes = ({ link, seconds }) =>
  link.kind === 'emulated' ? Math.ceil(link.rateMbit * BYTES_PER_MBIT * (seconds + 2 * FINDING_SECONDS)) : 0

/**
 * @param {import('./course.mjs').Course} course @param {import('./rows.mjs').ShareRow} row
 * @param {readonly (readonly [import('../godwitNode.mjs').GodwitNode, import('../godwitNode.mjs').GodwitNode])[]} pairs
 * @param {import('../payload.mjs').Payload} payload @returns {Promise<ShareRun>}
 */
async function share(course, row, pairs, payload) {
  const { emulated, link, folder } = course
  if (emulated === undefined || link.kind !== 'emulated') throw new Error('shares are measured on an emulated link')
  const clock = () => emulated.samples.at(-1)?.seconds ?? 0
  const end = row.rival === 'tcp' ? await startTcp(course) : async () => {}
  try {
    let isBegunBy = 0
    let begunAt = Number.NaN
    const capSeconds = row.seconds + 2 * FINDING_SECONDS
    // All of them are over before the next turn begins, also when one fails.
    const ends = await Promise.allSettled(
      pairs.map(([sender, receiver], number) =>
        measureTransfer(sender, receiver, {
          payload,
          output: join(folder, `out${number}`),
          flags: row.flags,
          capSeconds,
          onAccepted: () => {
            isBegunBy += 1
            if (isBegunBy === pairs.length) begunAt = clock()
          },
        }),
      ),
    )
    const failed = ends.find(({ status }) => status === 'rejected')
    if (failed?.status === 'rejected') throw failed.reason
    await settle()
    const from = begunAt + FINDING_SECONDS
    const [before, after] = [
      sampleAt(emulated.samples, from),
      sampleAt(emulated.samples, from + row.seconds - FINDING_SECONDS),
    ]
    if (before === undefined || after === undefined || !(after.seconds > before.seconds))
      throw new Error('the transfers did not begin in time')
    const flows = flowsBetween(before, after)
    const bytes = (/** @type {readonly { bytes: number }[]} */ some) => some.reduce((sum, one) => sum + one.bytes, 0)
    const [udp, tcp] = [
      flows.filter(({ protocol }) => protocol === 'udp'),
      flows.filter(({ protocol }) => protocol === 'tcp'),
    ]
    const mine = row.rival === 'tcp' ? bytes(udp) : bytes(udp.slice(1, 2))
    const all = row.rival === 'tcp' ? bytes(udp) + bytes(tcp) : bytes(udp.slice(0, 2))
    const inTime = emulated.samples.filter(({ seconds }) => seconds >= before.seconds && seconds <= after.seconds)
    return {
      sharePercent: (100 * mine) / all,
      utilisationPercent: (100 * all) / ((after.seconds - before.seconds) * link.rateMbit * BYTES_PER_MBIT),
      queueMs: queueOf(inTime)?.medianMs ?? 0,
    }
  } finally {
    await end()
  }
}

/** A flow of TCP CUBIC from a to b that has found its rate; the value ends it. @param {import('./course.mjs').Course} course */
async function startTcp({ cleanUp, hosts }) {
  const { a, b } = hosts
  useCongestionControl(a, 'cubic')
  const flow = (/** @type {import('./hosts.mjs').Host} */ host, /** @type {string} */ role) =>
    new Child(cleanUp, process.execPath, [TCP_FLOW, role, b.address], { namespace: host.namespace })
  const receiver = flow(b, 'receive')
  await receiver.said(JSON.stringify({ type: 'ready' }))
  const sender = flow(a, 'send')
  await sleep(HEAD_START_SECONDS * 1000)
  return async () => {
    await sender.kill()
    await receiver.kill()
  }
}
