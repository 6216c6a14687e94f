/**
 * Property: after a fault data flows again soon. The aim is 5 s for 95 of 100 (told at the end of all runs); none may take
 * longer than this.
 */

const RESUME_MAX_MS = 20_000

/** @type {import('./all.mjs').Checker} */
export const resumesInTime = {
  name: 'resumes in time',
  check: ({ resumes }) =>
    resumes.filter(({ ms }) => ms > RESUME_MAX_MS).map(({ kind, ms }) => `${Math.round(ms)} ms passed after ${kind}`),
}
