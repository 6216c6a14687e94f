/**
 * IP addresses as bytes and as text, without the help of an operating system. Text is the canonical form: dotted
 * decimal, or RFC 5952 for IPv6. Which addresses may be used is decided in `candidates.ts`.
 */

/** The four bytes of dotted decimal text; undefined for anything else, leading zeros included (they were octal once). */
export const parseIpv4 = (text: string): Uint8Array | undefined => {
  const parts = text.split('.')
  if (parts.length !== 4) return undefined
  const bytes = new Uint8Array(4)
  for (const [index, part] of parts.entries()) {
    if (!/^(?:0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined
    bytes[index] = Number(part)
  }
  return bytes
}

/** The sixteen bytes of an IPv6 address in any form of RFC 4291 §2.2, without a zone; undefined for anything else. */
export const parseIpv6 = (text: string): Uint8Array | undefined => {
  const halves = text.toLowerCase().split('::')
  if (halves.length > 2) return undefined
  const head = groupsOf(halves[0] ?? '', halves.length === 1)
  const tail = halves.length === 2 ? groupsOf(halves[1] ?? '', true) : []
  if (head === undefined || tail === undefined) return undefined
  const missing = 8 - head.length - tail.length
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined
  const groups = [...head, ...new Array<number>(missing).fill(0), ...tail]
  return Uint8Array.from(groups.flatMap((group) => [group >>> 8, group & 0xff]))
}

/** The 16-bit groups of one side of `::`; the last of the whole address may be dotted decimal. */
const groupsOf = (text: string, isEnd: boolean): number[] | undefined => {
  if (text === '') return []
  const parts = text.split(':')
  const groups: number[] = []
  for (const [index, part] of parts.entries()) {
    if (/^[0-9a-f]{1,4}$/.test(part)) {
      groups.push(Number.parseInt(part, 16))
      continue
    }
    const [a, b, c, d] = isEnd && index === parts.length - 1 ? (parseIpv4(part) ?? []) : []
    if (a === undefined || b === undefined || c === undefined || d === undefined) return undefined
    groups.push(a * 256 + b, c * 256 + d)
  }
  return groups.length <= 8 ? groups : undefined
}

/** Canonical text of 4 or 16 bytes. */
export const formatIp = (bytes: Uint8Array): string => {
  if (bytes.length === 4) return bytes.join('.')
  const groups: number[] = []
  for (let i = 0; i < 16; i += 2) groups.push((bytes[i] ?? 0) * 256 + (bytes[i + 1] ?? 0))
  const { start, length } = longestZeroRun(groups)
  const hex = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':')
  // RFC 5952 §4.2.2: one zero group alone is not shortened.
  if (length < 2) return hex(groups)
  return `${hex(groups.slice(0, start))}::${hex(groups.slice(start + length))}`
}

/** RFC 5952 §4.2.3: the longest run of zero groups, the first of equals. */
const longestZeroRun = (groups: readonly number[]): { start: number; length: number } => {
  let best = { start: 0, length: 0 }
  let start = 0
  for (let i = 0; i <= groups.length; i++) {
    if (groups[i] === 0) continue
    if (i - start > best.length) best = { start, length: i - start }
    start = i + 1
  }
  return best
}
