/** The few statistics of the benchmarks. */

/**
 * The value below which the share `q` of all values lies, interpolated between neighbours.
 *
 * @param {readonly number[]} values - at least one, in any order.
 * @param {number} q - 0 … 1.
 */
export function quantile(values, q) {
  const sorted = [...values].sort((left, right) => left - right)
  const at = (sorted.length - 1) * q
  const below = Math.floor(at)
  const above = Math.min(below + 1, sorted.length - 1)
  return sorted[below] + (sorted[above] - sorted[below]) * (at - below)
}

/** @param {readonly number[]} values - at least one. */
export const median = (values) => quantile(values, 0.5)

/**
 * Median and extremes of what is there; undefined where nothing is.
 *
 * @param {readonly (number | undefined)[]} values
 */
export function spread(values) {
  const known = values.filter((value) => value !== undefined)
  if (known.length === 0) return undefined
  return { median: median(known), least: Math.min(...known), most: Math.max(...known) }
}
