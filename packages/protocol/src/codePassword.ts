/**
 * A user's own password for a room with a public name: bringing it into one form, and refusing what is easy to guess.
 *
 * Guessing is online only, five tries a room, so a crude estimate in the manner of zxcvbn (Wheeler 2016) will do: the
 * cheapest way to put the password together out of common passwords, list words, years, runs, sequences and single
 * characters. It errs towards refusing.
 */
import { encodeUtf8 } from './bytesText.js'
import { COMMON_PASSWORDS, KEYBOARD_ROWS } from './codePasswordCommon.js'
import { fail, ok, type Result } from './errors.js'
import { PASSWORD_MAX_CHARACTERS, PASSWORD_MIN_CHARACTERS, PASSWORD_MIN_GUESSES } from './limits.js'
import { isCodeWord } from './words.js'

/**
 * The password in the form that is hashed: NFC, every Unicode space as U+0020, none around it (the OpaqueString profile
 * of RFC 8265 §4.2, and trimmed, because line ends cling to pasted text). ERR_USAGE for control characters, lone
 * surrogates, nothing at all, or too much.
 */
export const normalizePassword = (password: string): Result<string> => {
  const normal = password
    .replace(/\p{Zs}/gu, ' ')
    .normalize('NFC')
    .trim()
  if (normal === '') return fail('ERR_USAGE', 'The password is empty')
  if (Array.from(normal).length > PASSWORD_MAX_CHARACTERS) {
    return fail('ERR_USAGE', `The password has more than ${PASSWORD_MAX_CHARACTERS} characters`)
  }
  if (/[\p{Cc}\p{Cs}]/u.test(normal) || encodeUtf8(normal) === undefined) {
    return fail('ERR_USAGE', 'The password holds control characters')
  }
  return ok(normal)
}

/** `normalizePassword`, and ERR_PASSWORD_WEAK below the limits: for who opens a room, not for who joins one. */
export const checkNewPassword = (password: string): Result<string> => {
  const normal = normalizePassword(password)
  if (!normal.ok) return normal
  if (Array.from(normal.value).length < PASSWORD_MIN_CHARACTERS) {
    return fail('ERR_PASSWORD_WEAK', `The password has fewer than ${PASSWORD_MIN_CHARACTERS} characters`)
  }
  return passwordGuesses(normal.value) < PASSWORD_MIN_GUESSES ? fail('ERR_PASSWORD_WEAK') : normal
}

/** Guesses that somebody with a good dictionary needs, roughly. Quadratic in the length, which is at most 256. */
export const passwordGuesses = (password: string): number => {
  const text = unleet(password.toLowerCase())
  const characters = Array.from(password.toLowerCase())
  const plain = Array.from(text)
  /** Cheapest way to make the first i characters. */
  const cheapest: number[] = [1]
  for (let end = 1; end <= characters.length; end++) {
    let best = Number.POSITIVE_INFINITY
    for (let start = Math.max(0, end - PIECE_MAX); start < end; start++) {
      const piece = characters.slice(start, end).join('')
      const unleeted = plain.slice(start, end).join('')
      const guesses = Math.min(pieceGuesses(piece), unleeted === piece ? Infinity : 4 * pieceGuesses(unleeted))
      best = Math.min(best, (cheapest[start] ?? 1) * guesses)
    }
    cheapest.push(best)
  }
  const whole = cheapest[characters.length] ?? 1
  return Math.min(whole, repetitionGuesses(characters))
}

/** Longest piece that is looked up at once. */
const PIECE_MAX = 24
/** zxcvbn's figure for a character that nothing explains. */
const GUESSES_PER_CHARACTER = 10
const GUESSES_PER_SYMBOL = 20

const pieceGuesses = (piece: string): number => {
  const length = Array.from(piece).length
  if (length === 1) return /[\p{L}\p{N}]/u.test(piece) ? GUESSES_PER_CHARACTER : GUESSES_PER_SYMBOL
  const rank = COMMON_PASSWORDS.get(piece)
  if (rank !== undefined) return rank + 1
  if (length >= 3 && isCodeWord(piece)) return 7772
  if (/^(?:19|20)\d\d$/.test(piece)) return 120
  if (length >= 3 && isSequence(piece)) return 8 * length
  return Number.POSITIVE_INFINITY
}

/** `aaaa`, `abcd`, `4321`, `qwer`, `rewq`. */
const isSequence = (piece: string): boolean => {
  const codes = Array.from(piece, (character) => character.codePointAt(0) ?? 0)
  const step = (codes[1] ?? 0) - (codes[0] ?? 0)
  if (Math.abs(step) <= 1 && codes.every((code, i) => i === 0 || code - (codes[i - 1] ?? 0) === step)) return true
  const reversed = Array.from(piece).toReversed().join('')
  return KEYBOARD_ROWS.some((row) => row.includes(piece) || row.includes(reversed))
}

/** The whole as one block said again and again: as many guesses as the block, times how often. */
const repetitionGuesses = (characters: readonly string[]): number => {
  for (let block = 1; block <= characters.length / 2; block++) {
    if (characters.length % block !== 0) continue
    if (!characters.every((character, i) => character === characters[i % block])) continue
    return passwordGuesses(characters.slice(0, block).join('')) * (characters.length / block)
  }
  return Number.POSITIVE_INFINITY
}

const LEET: Readonly<Record<string, string>> = {
  '0': 'o',
  '1': 'i',
  '3': 'e',
  '4': 'a',
  '5': 's',
  '7': 't',
  '@': 'a',
  $: 's',
  '!': 'i',
}

const unleet = (text: string): string => Array.from(text, (character) => LEET[character] ?? character).join('')
