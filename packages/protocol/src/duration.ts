/** Durations as people read them. */

/**
 * Seconds in the two largest units that are not empty: `0.4 s`, `12 s`, `3 min 05 s`, `2 h 10 min`, `3 d 04 h`.
 *
 * @param seconds - not negative; below ten seconds one decimal is shown.
 */
export const formatDuration = (seconds: number): string => {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`
  const whole = Math.round(seconds)
  const pad = (value: number): string => String(value).padStart(2, '0')
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`
  const minutes = Math.floor(whole / 60)
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} min`
  const hours = Math.floor(minutes / 60)
  return `${Math.floor(hours / 24)} d ${pad(hours % 24)} h`
}
