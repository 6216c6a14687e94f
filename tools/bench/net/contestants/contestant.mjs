/**
 * What a row's contestants have in common: what they are given, what they answer, and how a run that takes too long is
 * cut short.
 */
import { mkdirSync, rmSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { compare } from '../../godwitTransfer.mjs'

/**
 * @typedef {object} Field - where a row's contestants run.
 * @property {import('../../cleanUp.mjs').CleanUp} cleanUp - of the row: everything goes when the row is over.
 * @property {import('../hosts.mjs').Hosts} hosts - the sender is a, the receiver b.
 * @property {import('../rows.mjs').LinkSettings} link
 * @property {string} folder - for the contestants' own files.
 * @property {string} peersFolder - where udx-native is installed, if it is.
 *
 * @typedef {{ payload: import('../../payload.mjs').Payload, output: string, capSeconds: number }} Task - `output` is a
 * folder that is empty; a run that takes longer than `capSeconds` is ended.
 *
 * @typedef {object} Outcome
 * @property {number} bytes - of the file that arrived.
 * @property {number} seconds
 * @property {boolean} isCut - ended at the cap: `bytes` is what had arrived by then, and nothing was compared.
 * @property {import('../../godwitTransfer.mjs').TransferResult} [godwit]
 *
 * @typedef {object} Contestant
 * @property {string} name - in the code and in JSON.
 * @property {string} label - in tables.
 * @property {(field: { peersFolder: string }) => string | undefined} missing - why it cannot take part here.
 * @property {(field: Field) => Promise<(task: Task) => Promise<Outcome>>} enter - once a row; the value runs once a run.
 */

/**
 * A run whose end is a promise: waits for it, compares the file, measures the time. `end` ends it when it takes too long.
 *
 * @param {Task} task
 * @param {{ finished: Promise<unknown>, end: () => Promise<unknown> }} run - `finished` rejects when the run failed.
 * @param {(wallSeconds: number) => number} [secondsOf] - where the contestant tells its time better than the clock here.
 * @returns {Promise<Outcome>}
 */
export async function timedRun({ payload, output, capSeconds }, { finished, end }, secondsOf = (seconds) => seconds) {
  const startedAt = performance.now()
  /** @type {NodeJS.Timeout | undefined} */
  let timer
  const cap = new Promise((resolve) => {
    timer = setTimeout(() => resolve('cut'), capSeconds * 1000)
  })
  const isCut = (await Promise.race([finished.then(() => 'done'), cap]).finally(() => clearTimeout(timer))) === 'cut'
  const wallSeconds = (performance.now() - startedAt) / 1000
  if (isCut) {
    const bytes = bytesWritten(join(output, basename(payload.path)))
    finished.catch(() => {})
    await end()
    return { bytes, seconds: wallSeconds, isCut: true }
  }
  compare(payload, output)
  return { bytes: payload.bytes, seconds: secondsOf(wallSeconds), isCut: false }
}

/** What has been written of a file: one that is written out of order has its size early, but not its blocks. @param {string} path */
function bytesWritten(path) {
  const stat = statSync(path, { throwIfNoEntry: false })
  return stat === undefined ? 0 : Math.min(stat.size, stat.blocks * 512)
}

/** An empty folder. @param {string} path */
export function emptyFolder(path) {
  rmSync(path, { recursive: true, force: true })
  mkdirSync(path, { recursive: true })
  return path
}
