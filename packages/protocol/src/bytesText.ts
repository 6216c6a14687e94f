/**
 * Text forms of bytes: strict UTF-8 (RFC 3629), base64url without padding (RFC 4648 §5) and lower-case hex.
 *
 * Each decoder accepts exactly one spelling of a value and yields `undefined` for everything else, so that two
 * different texts never mean the same bytes.
 */

/** Bytes of `text` in UTF-8; a lone surrogate counts as 3. */
export const utf8Length = (text: string): number => {
  let length = 0
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 0x80) length += 1
    else if (unit < 0x800) length += 2
    else if (unit >= 0xd800 && unit < 0xdc00 && isLowSurrogate(text.charCodeAt(i + 1))) {
      length += 4
      i += 1
    } else length += 3
  }
  return length
}

const isLowSurrogate = (unit: number): boolean => unit >= 0xdc00 && unit < 0xe000

/** UTF-8 of `text`; undefined when it holds a lone surrogate, which UTF-8 cannot carry (RFC 3629 §3). */
export const encodeUtf8 = (text: string): Uint8Array | undefined => {
  const bytes = new Uint8Array(utf8Length(text))
  let at = 0
  for (let i = 0; i < text.length; i++) {
    let point = text.charCodeAt(i)
    if (point >= 0xd800 && point < 0xe000) {
      const low = text.charCodeAt(i + 1)
      if (point >= 0xdc00 || !isLowSurrogate(low)) return undefined
      point = 0x1_0000 + ((point - 0xd800) << 10) + (low - 0xdc00)
      i += 1
    }
    if (point < 0x80) {
      bytes[at++] = point
    } else if (point < 0x800) {
      bytes[at++] = 0xc0 | (point >> 6)
      bytes[at++] = 0x80 | (point & 0x3f)
    } else if (point < 0x1_0000) {
      bytes[at++] = 0xe0 | (point >> 12)
      bytes[at++] = 0x80 | ((point >> 6) & 0x3f)
      bytes[at++] = 0x80 | (point & 0x3f)
    } else {
      bytes[at++] = 0xf0 | (point >> 18)
      bytes[at++] = 0x80 | ((point >> 12) & 0x3f)
      bytes[at++] = 0x80 | ((point >> 6) & 0x3f)
      bytes[at++] = 0x80 | (point & 0x3f)
    }
  }
  return bytes
}

/** Text of strict UTF-8; undefined for overlong forms, surrogates, values above U+10FFFF and cut-off sequences. */
export const decodeUtf8 = (bytes: Uint8Array, start = 0, end = bytes.length): string | undefined => {
  const parts: string[] = []
  let units: number[] = []
  let at = start
  while (at < end) {
    const first = bytes[at++] ?? 0
    if (first < 0x80) {
      units.push(first)
    } else {
      // Lead bytes C0, C1 and F5 … FF never occur (RFC 3629 §4).
      const more =
        first >= 0xc2 && first < 0xe0 ? 1 : first >= 0xe0 && first < 0xf0 ? 2 : first >= 0xf0 && first < 0xf5 ? 3 : 0
      if (more === 0 || at + more > end) return undefined
      let point = first & (0x3f >> more)
      for (let i = 0; i < more; i++) {
        const next = bytes[at++] ?? 0
        if ((next & 0xc0) !== 0x80) return undefined
        point = (point << 6) | (next & 0x3f)
      }
      if (more === 2 && (point < 0x800 || (point >= 0xd800 && point < 0xe000))) return undefined
      if (more === 3 && (point < 0x1_0000 || point > 0x10_ffff)) return undefined
      if (point < 0x1_0000) units.push(point)
      else units.push(0xd800 + ((point - 0x1_0000) >> 10), 0xdc00 + ((point - 0x1_0000) & 0x3ff))
    }
    // Arguments of one call are limited by the stack.
    if (units.length >= 4096) {
      parts.push(String.fromCharCode(...units))
      units = []
    }
  }
  parts.push(String.fromCharCode(...units))
  return parts.join('')
}

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const HEX = '0123456789abcdef'

const valuesOf = (alphabet: string): Int8Array => {
  const values = new Int8Array(128).fill(-1)
  for (let i = 0; i < alphabet.length; i++) values[alphabet.charCodeAt(i)] = i
  return values
}

const BASE64URL_VALUES = valuesOf(BASE64URL)
const HEX_VALUES = valuesOf(HEX)

const valueAt = (values: Int8Array, text: string, at: number): number => {
  const unit = text.charCodeAt(at)
  return unit < 128 ? (values[unit] ?? -1) : -1
}

/** base64url without padding. */
export const encodeBase64url = (bytes: Uint8Array): string => {
  let text = ''
  for (let i = 0; i < bytes.length; i += 3) {
    const bits = ((bytes[i] ?? 0) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0)
    const characters = Math.min(4, bytes.length - i + 1)
    for (let j = 0; j < characters; j++) text += BASE64URL.charAt((bits >> (18 - 6 * j)) & 0x3f)
  }
  return text
}

/** Bytes of unpadded base64url; undefined for other characters, an impossible length or bits set behind the last byte. */
export const decodeBase64url = (text: string): Uint8Array | undefined => {
  if (text.length % 4 === 1) return undefined
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4))
  let bits = 0
  let bitCount = 0
  let at = 0
  for (let i = 0; i < text.length; i++) {
    const value = valueAt(BASE64URL_VALUES, text, i)
    if (value < 0) return undefined
    bits = ((bits << 6) | value) & 0xffff
    bitCount += 6
    if (bitCount >= 8) {
      bitCount -= 8
      bytes[at++] = (bits >> bitCount) & 0xff
    }
  }
  if ((bits & ((1 << bitCount) - 1)) !== 0) return undefined
  return bytes
}

/** Lower-case hex. */
export const encodeHex = (bytes: Uint8Array): string => {
  let text = ''
  for (const byte of bytes) text += HEX.charAt(byte >> 4) + HEX.charAt(byte & 15)
  return text
}

/** Bytes of lower-case hex; undefined for anything else. */
export const decodeHex = (text: string): Uint8Array | undefined => {
  if (text.length % 2 !== 0) return undefined
  const bytes = new Uint8Array(text.length / 2)
  for (let i = 0; i < bytes.length; i++) {
    const high = valueAt(HEX_VALUES, text, 2 * i)
    const low = valueAt(HEX_VALUES, text, 2 * i + 1)
    if (high < 0 || low < 0) return undefined
    bytes[i] = (high << 4) | low
  }
  return bytes
}
