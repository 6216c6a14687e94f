/** Sizes and rates as people write and read them. */
import { UsageError } from './cleanUp.mjs'

const UNITS = /** @type {Readonly<Record<string, number>>} */ ({
  '': 1,
  b: 1,
  k: 1e3,
  kb: 1e3,
  m: 1e6,
  mb: 1e6,
  g: 1e9,
  gb: 1e9,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
})

export const MB = 1e6
export const MIB = 2 ** 20
export const GIB = 2 ** 30

/** @param {string} text - `256MiB`, `1GB`, `4096`. @returns {number} bytes. */
export function bytesOf(text) {
  const match = /^([0-9]+(?:\.[0-9]+)?)\s*([a-z]*)$/i.exec(text.trim())
  const unit = match === null ? undefined : UNITS[match[2].toLowerCase()]
  if (match === null || unit === undefined) throw new UsageError(`${text} is not a size such as 256MiB or 1GB`)
  return Math.round(Number(match[1]) * unit)
}

/** @param {number} bytes */
export function sizeText(bytes) {
  for (const [unit, name] of /** @type {const} */ ([
    [GIB, 'GiB'],
    [MIB, 'MiB'],
  ])) {
    if (bytes >= unit && bytes % unit === 0) return `${bytes / unit} ${name}`
  }
  if (bytes >= 1e9) return `${significant(bytes / 1e9)} GB`
  return bytes >= MB ? `${significant(bytes / MB)} MB` : `${significant(bytes / 1e3)} kB`
}

/** A figure with three significant digits, and no digits behind the point from 100 on. @param {number} value */
export function significant(value) {
  if (value === 0) return '0'
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))))
  return value.toFixed(Math.min(digits, 3))
}

/** @param {number} bytesPerSecond @returns {string} megabytes (10^6) a second, without the unit. */
export const megabytesText = (bytesPerSecond) => significant(bytesPerSecond / MB)
