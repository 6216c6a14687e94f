/**
 * Rates and amounts of data as people write and read them: `20MB/s`, `500mbit`, `unlimited`; `1.4 GB`.
 *
 * Units follow IEC 80000-13: k, M, G, T are powers of 1000; Ki, Mi, Gi, Ti powers of 1024; B are bytes, bit are bits.
 */
import type { Result } from './errors.js'
import { fail, ok } from './errors.js'
import { LIMIT_MIN_BYTES_PER_SECOND } from './limits.js'

const PREFIXES: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  m: 1e6,
  g: 1e9,
  t: 1e12,
  ki: 2 ** 10,
  mi: 2 ** 20,
  gi: 2 ** 30,
  ti: 2 ** 40,
}

/**
 * Reads a rate: a decimal number with a unit (`B`, `kB`, `MiB`, `Mbit` …, with or without `/s`), a plain number of bytes
 * a second, or `unlimited`.
 *
 * Capitals do not matter, with one exception: `Mb` (one capital, then `b`) is refused, since half of its readers take it
 * for bits and the other half for bytes.
 *
 * @returns whole bytes a second, at least LIMIT_MIN_BYTES_PER_SECOND; null for no limit; ERR_RATE_MALFORMED else.
 */
export const parseRate = (text: string): Result<number | null> => {
  const trimmed = text.trim()
  if (/^(unlimited|none)$/i.test(trimmed)) return ok(null)
  const match = /^([0-9]{1,15}(?:\.[0-9]{1,9})?)\s*([kmgt]i?)?(bits?|bytes?|b)?(?:\/s|ps)?$/i.exec(trimmed)
  if (match?.[1] === undefined) return fail('ERR_RATE_MALFORMED')
  const prefix = match[2] ?? ''
  const unit = match[3] ?? ''
  if (unit === 'b' && /^[A-Z]/.test(prefix)) {
    return fail('ERR_RATE_MALFORMED', `${prefix}b could mean bits or bytes, write ${prefix}bit or ${prefix}B`)
  }
  const factor = PREFIXES[prefix.toLowerCase()] ?? 1
  const isBits = unit.toLowerCase().startsWith('bit')
  const bytes = Math.round((Number(match[1]) * factor) / (isBits ? 8 : 1))
  if (bytes < LIMIT_MIN_BYTES_PER_SECOND) {
    return fail('ERR_RATE_MALFORMED', `the lowest rate is ${LIMIT_MIN_BYTES_PER_SECOND}B/s`)
  }
  if (bytes > Number.MAX_SAFE_INTEGER)
    return fail('ERR_RATE_MALFORMED', 'this rate is beyond every link, write unlimited')
  return ok(bytes)
}

const STEPS = ['B', 'kB', 'MB', 'GB', 'TB'] as const

/** Bytes in three significant digits: `0 B`, `999 B`, `1.40 GB`, `512 MB`. */
export const formatBytes = (bytes: number): string => {
  let value = bytes
  let step = 0
  // 999.5 and not 1000: what would be rounded to "1000 kB" is "1.00 MB".
  while (value >= 999.5 && step < STEPS.length - 1) {
    value /= 1000
    step += 1
  }
  const digits = step === 0 ? 0 : value < 9.995 ? 2 : value < 99.95 ? 1 : 0
  return `${value.toFixed(digits)} ${STEPS[step]}`
}

/** Bytes a second for people; null is no limit. The text can be read back by `parseRate`, within its rounding. */
export const formatRate = (bytesPerSecond: number | null): string =>
  bytesPerSecond === null ? 'unlimited' : `${formatBytes(bytesPerSecond)}/s`
