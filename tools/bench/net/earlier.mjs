/** Joins what was measured before with what is measured now, so that rows can be run one by one: of one machine and commit. */
import { UsageError } from '../cleanUp.mjs'
import { ROWS } from './rows.mjs'

/** @typedef {import('./report.mjs').Report} Report */

/**
 * Rows of `earlier` that `report` does not have are taken into it, in the order of all rows.
 *
 * @param {Report} report @param {Report} earlier - as it was read from JSON, whose rows have lost their goals.
 * @returns {Report}
 */
export function joined(report, earlier) {
  for (const name of /** @type {const} */ (['processor', 'cores', 'system', 'node', 'commit'])) {
    if (earlier.machine[name] !== report.machine[name])
      throw new UsageError(
        `measured on another ${name}: ${earlier.machine[name]}, and now it is ${report.machine[name]}`,
      )
  }
  if (earlier.isQuick !== report.isQuick) throw new UsageError('a quick look and a whole one cannot be joined')
  const has = (/** @type {Report} */ one, /** @type {string} */ id) => one.results.some(({ row }) => row.id === id)
  const taken = earlier.results.filter(({ row }) => !has(report, row.id)).map(withGoals)
  const place = (/** @type {string} */ id) => ROWS.findIndex((row) => row.id === id)
  return {
    ...report,
    command: taken.length === 0 ? report.command : `${earlier.command}\`, \`${report.command}`,
    results: [...taken, ...report.results].sort((left, right) => place(left.row.id) - place(right.row.id)),
  }
}

/** @param {import('./report.mjs').RowResult} result @returns {import('./report.mjs').RowResult} */
function withGoals(result) {
  if (result.kind !== 'goodput') return result
  const named = ROWS.find(({ id }) => id === result.row.id)
  return { ...result, row: { ...result.row, goals: named?.kind === 'goodput' ? named.goals : [] } }
}
