/** The checkers of a run: one property each, judged by what was seen and not by what the product says of itself. */
import { alwaysEnds } from './alwaysEnds.mjs'
import { bounded } from './bounded.mjs'
import { eventsFold } from './eventsFold.mjs'
import { filesEqual } from './filesEqual.mjs'
import { insideTarget } from './insideTarget.mjs'
import { logWithinDisk } from './logWithinDisk.mjs'
import { noFalseComplete } from './noFalseComplete.mjs'
import { noSecrets } from './noSecrets.mjs'
import { resumesInTime } from './resumesInTime.mjs'
import { sentAgain } from './sentAgain.mjs'

/**
 * What was seen in a run.
 *
 * @typedef {object} Evidence
 * @property {import('../plan.mjs').Plan} plan
 * @property {import('../shapes.mjs').Cargo} cargo
 * @property {string} output - the folder that received.
 * @property {{ sender: any, receiver: any }[]} samples - both sides' views, again and again; undefined where one was silent.
 * @property {{ sender: any, receiver: any }} last
 * @property {Record<import('../network.mjs').Side, string | null>} ended - what each side's record says of its end.
 * @property {string[]} missingAtCompletion - differences when a side first said completed.
 * @property {string[]} claimsNotHeld
 * @property {Record<import('../network.mjs').Side, import('./eventsFold.mjs').StoredTransfer>} stored
 * @property {{ before: string[], after: string[] }} around - names beside the target.
 * @property {string[]} sourcesChanged
 * @property {string[]} secretsFound
 * @property {{ side: import('../network.mjs').Side, peakRssBytes: number, openFiles: number }[]} resources
 * @property {number | undefined} sentAgainBytes - undefined where there is no network to count on.
 * @property {{ kind: string, ms: number }[]} resumes - after each fault that data flowed after.
 * @property {string[]} trouble - of the faults themselves: something did not come back.
 *
 * @typedef {{ readonly name: string, readonly check: (evidence: Evidence) => string[] }} Checker - `check` gives what is
 * wrong, a sentence each; nothing when the property holds.
 */

/** @type {readonly Checker[]} */
export const CHECKERS = [
  alwaysEnds,
  filesEqual,
  noFalseComplete,
  logWithinDisk,
  eventsFold,
  insideTarget,
  noSecrets,
  bounded,
  sentAgain,
  resumesInTime,
]
