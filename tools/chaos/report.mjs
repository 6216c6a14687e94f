/** What many runs amount to. */
import { KILLS } from './plan.mjs'

/**
 * @typedef {{ runs: number, passed: number, failed: number, killRuns: number, faults: number, missed: number, byKind: Record<string, number>,
 *   crashPoints: Record<string, number>, resume: Spread, resumeByKind: Record<string, Spread>, sentAgainBytes: Spread, seconds: number }} Summary
 * @typedef {{ count: number, p50: number, p95: number, max: number }} Spread
 */

/** @param {readonly import('./run.mjs').RunResult[]} results @returns {Summary} */
export function summarize(results) {
  const inflicted = results.flatMap((result) => result.inflicted)
  const resumes = results.flatMap((result) => result.resumes)
  const failed = results.filter(({ problems }) => problems.length > 0).length
  const isKill = (/** @type {{ kind: string }} */ { kind }) => KILLS.some((name) => name === kind)
  return {
    runs: results.length,
    passed: results.length - failed,
    failed,
    killRuns: results.filter((result) => result.inflicted.some(isKill)).length,
    faults: inflicted.length,
    missed: results.reduce((sum, { missed }) => sum + missed, 0),
    byKind: countBy(inflicted.map(({ kind }) => kind)),
    crashPoints: countBy(inflicted.filter(({ kind }) => kind === 'crashPoint').map(({ point }) => point)),
    resume: spreadOf(resumes.map(({ ms }) => ms)),
    resumeByKind: Object.fromEntries(
      [...new Set(resumes.map(({ kind }) => kind))]
        .sort()
        .map((kind) => [kind, spreadOf(resumes.filter((resume) => resume.kind === kind).map(({ ms }) => ms))]),
    ),
    sentAgainBytes: spreadOf(
      results.flatMap(({ sentAgainBytes }) => (sentAgainBytes === undefined ? [] : [sentAgainBytes])),
    ),
    seconds: results.reduce((sum, { seconds }) => sum + seconds, 0),
  }
}

/** @param {readonly string[]} names @returns {Record<string, number>} */
function countBy(names) {
  /** @type {Record<string, number>} */
  const counts = {}
  for (const name of [...names].sort()) counts[name] = (counts[name] ?? 0) + 1
  return counts
}

/** @param {readonly number[]} values @returns {Spread} nearest rank. */
export function spreadOf(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const rank = (/** @type {number} */ share) =>
    Math.round(sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0)
  return { count: sorted.length, p50: rank(0.5), p95: rank(0.95), max: rank(1) }
}

/** @param {Summary} summary */
export function summaryText({
  runs,
  killRuns,
  faults,
  missed,
  byKind,
  resume,
  resumeByKind,
  sentAgainBytes,
  seconds,
  crashPoints,
}) {
  const s = (/** @type {number} */ ms) => `${(ms / 1000).toFixed(1)} s`
  const mib = (/** @type {number} */ bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`
  return [
    `${runs} runs in ${Math.round(seconds)} s, ${killRuns} of them with SIGKILL; ${faults} faults, ${missed} more that did not come about`,
    `faults: ${Object.entries(byKind)
      .map(([kind, count]) => `${kind} ${count}`)
      .join(', ')}`,
    `crash points: ${Object.entries(crashPoints)
      .map(([point, count]) => `${point} ${count}`)
      .join(', ')}`,
    `resumed (${resume.count} measured): p50 ${s(resume.p50)}, p95 ${s(resume.p95)}, longest ${s(resume.max)}`,
    ...Object.entries(resumeByKind).map(
      ([kind, { count, p50, p95, max }]) => `  ${kind} (${count}): p50 ${s(p50)}, p95 ${s(p95)}, longest ${s(max)}`,
    ),
    `sent again (${sentAgainBytes.count} runs): p50 ${mib(sentAgainBytes.p50)}, p95 ${mib(sentAgainBytes.p95)}, most ${mib(sentAgainBytes.max)}`,
  ].join('\n')
}
