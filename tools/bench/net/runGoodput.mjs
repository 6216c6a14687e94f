/** Runs a row in which a file crosses a link: everybody in turn, again and again, so that no one has the better hour. */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { randomPayload } from '../payload.mjs'
import { usageOf } from '../processUsage.mjs'
import { emptyFolder } from './contestants/contestant.mjs'
import { onCourse, settle } from './course.mjs'
import { leastBytes, queueOf, sentBetween, steadyOf } from './linkSamples.mjs'

/** Failures after which a contestant is not asked again in this row. */
const FAILURES_MAX = 2

/**
 * @typedef {import('./contestants/contestant.mjs').Outcome & {
 *   sent?: { packets: number, bytes: number, lost: number, dropped: number, least: number },
 *   queue?: { medianMs: number, p95Ms: number, mostMs: number }, emulatorCpuSeconds?: number }} Run - `sent` and `queue`
 * on emulated links, in the direction of the file; `emulatorCpuSeconds` is what the link itself took of the processor.
 * @typedef {{ name: string, label: string, fileBytes: number, runs: Run[], failures: string[] }} Entry
 * @typedef {{ kind: 'goodput', row: import('./rows.mjs').GoodputRow, entries: Entry[], absent: { label: string, why: string }[] }} GoodputResult
 */

/**
 * @param {import('../cleanUp.mjs').CleanUp} cleanUp @param {import('./rows.mjs').GoodputRow} row
 * @param {{ runs: number, seconds: number, peerSeconds: number, seed: number, places: import('./course.mjs').Places,
 *   contestants: ReadonlyMap<string, import('./contestants/contestant.mjs').Contestant>, only: readonly string[],
 *   say: (text: string) => void }} options - `only`: names of contestants, none for all of the row's.
 * @returns {Promise<GoodputResult>}
 */
export function runGoodput(cleanUp, row, { runs, seconds, peerSeconds, seed, places, contestants, only, say }) {
  const settings = {
    link: row.link,
    parent: places[row.storage],
    neededBytes: 3 * row.bytes + row.peerBytes,
    peersFolder: places.peers,
    seed,
  }
  return onCourse(cleanUp, settings, async (course) => {
    const inputs = join(course.folder, 'in')
    mkdirSync(inputs)
    const own = randomPayload(join(inputs, 'payload'), row.bytes)
    const theirs = row.peerBytes === row.bytes ? own : randomPayload(join(inputs, 'peers-payload'), row.peerBytes)
    /** @type {{ label: string, why: string }[]} */
    const absent = []
    const starters = []
    for (const name of row.contestants) {
      const contestant = contestants.get(name)
      if (contestant === undefined || (only.length > 0 && !only.includes(name))) continue
      const why = contestant.missing(course)
      if (why !== undefined) {
        absent.push({ label: contestant.label, why })
        continue
      }
      const isGodwit = name.startsWith('godwit')
      const payload = isGodwit ? own : theirs
      /** @type {Entry} */
      const entry = { name, label: contestant.label, fileBytes: payload.bytes, runs: [], failures: [] }
      const capSeconds = isGodwit ? seconds : peerSeconds
      starters.push({ entry, run: await contestant.enter(course), task: { payload, capSeconds } })
    }
    for (let turn = 0; turn < runs; turn++) {
      for (const { entry, run, task } of starters) {
        if (entry.failures.length >= FAILURES_MAX) continue
        const output = emptyFolder(join(course.folder, 'out'))
        try {
          const done = await measured(course, () => run({ ...task, output }), task.payload.bytes)
          entry.runs.push(done)
          say(`  ${turn + 1}/${runs} ${runText(entry, done)}`)
        } catch (error) {
          const why = error instanceof Error ? error.message : String(error)
          entry.failures.push(why)
          say(`  ${turn + 1}/${runs} ${entry.label}: failed: ${why}`)
        }
        rmSync(output, { recursive: true, force: true })
      }
    }
    return { kind: 'goodput', row, entries: starters.map(({ entry }) => entry), absent }
  })
}

/**
 * A run with what the link saw of it.
 *
 * @param {import('./course.mjs').Course} course
 * @param {() => Promise<import('./contestants/contestant.mjs').Outcome>} run @param {number} fileBytes @returns {Promise<Run>}
 */
async function measured({ emulated }, run, fileBytes) {
  if (emulated === undefined) return run()
  await settle()
  const from = emulated.samples.length - 1
  const cpuBefore = usageOf(emulated.process.pid).cpuSeconds
  const outcome = await run()
  await settle()
  const samples = emulated.samples.slice(Math.max(0, from))
  if (samples.length < 2) return outcome
  const sent = sentBetween(samples[0], samples[samples.length - 1])
  const queue = queueOf(steadyOf(samples))
  const least = leastBytes(outcome.isCut ? outcome.bytes : fileBytes, sent)
  const emulatorCpuSeconds = usageOf(emulated.process.pid).cpuSeconds - cpuBefore
  return { ...outcome, emulatorCpuSeconds, sent: { ...sent, least }, ...(queue === undefined ? {} : { queue }) }
}

/** @param {Entry} entry @param {Run} run */
function runText({ name, label }, { bytes, seconds, isCut, sent, queue }) {
  const rate = `${(bytes / seconds / 1e6).toFixed(2)} MB/s`
  const link =
    sent === undefined || isCut || name.startsWith('iperf')
      ? ''
      : `, sent ${(sent.bytes / sent.least).toFixed(3)} × the least`
  const waiting = queue === undefined ? '' : `, queue ${queue.medianMs.toFixed(1)} ms`
  return `${label}: ${rate} in ${seconds.toFixed(2)} s${isCut ? ' (cut short)' : ''}${link}${waiting}`
}
