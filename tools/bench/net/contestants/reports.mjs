/** Reads what other programs tell of their runs. */

/** The seconds in uftp's report; undefined where it tells none. @param {string} report */
export function elapsedIn(report) {
  const match = /Total elapsed time: ([0-9.]+) seconds/.exec(report)
  return match === null ? undefined : Number(match[1])
}

/** Payload bytes a second at the receiver, in iperf3's JSON. @param {string} json */
export function receivedIn(json) {
  try {
    const { end } = JSON.parse(json)
    const bits = end.sum_received?.bits_per_second ?? end.sum?.bits_per_second * (1 - end.sum?.lost_percent / 100)
    return Number.isFinite(bits) ? bits / 8 : undefined
  } catch {
    return undefined
  }
}
