/**
 * The one way in which a name from the other side is shown: in terminals, logs and answers of the API.
 *
 * A name may hold escape sequences, line breaks, invisible letters and direction marks that make `exe.txt` out of
 * `txt.exe`. Whatever is not plainly visible is written as `\u{…}`, a backslash is doubled so that the two cannot be
 * confused, and long names lose their middle, so that the ending stays.
 */
import { DISPLAY_MAX_COLUMNS } from './limits.js'

const VISIBLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u
/** Letters, marks and symbols by their class that print as nothing: Hangul and Khmer fillers, joiner, blank Braille. */
const BLANK = new Set([...'\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\u034f'])
const MARK = /^\p{M}$/u
/** More marks on one letter than any language needs pile up over neighbouring lines. */
const MARKS_MAX = 4
const ELLIPSIS = '…'

/** `name` in at most `maxColumns` columns of a terminal, safe to print anywhere. Never longer than 8 KiB. */
export const displayName = (name: string, maxColumns: number = DISPLAY_MAX_COLUMNS): string => {
  const pieces = escapePieces(name)
  let columns = 0
  for (const piece of pieces) columns += piece.columns
  if (columns <= maxColumns) return pieces.map((piece) => piece.text).join('')
  const tailColumns = Math.floor((maxColumns - 1) / 3)
  const head = takeColumns(pieces, maxColumns - 1 - tailColumns)
  const tail = takeColumns(pieces.toReversed(), tailColumns).toReversed()
  return head.join('') + ELLIPSIS + tail.join('')
}

/** Columns of each component of a path: whole, for names that may travel. */
const COMPONENT_MAX_COLUMNS = 1024

/** A relative path for people: its components joined by `/`, each escaped. */
export const displayPath = (path: readonly string[]): string =>
  path.map((name) => displayName(name, COMPONENT_MAX_COLUMNS)).join('/')

interface Piece {
  readonly text: string
  readonly columns: number
}

/** One piece for each code point, with the marks that sit on it. */
const escapePieces = (name: string): Piece[] => {
  const pieces: Piece[] = []
  let marks = MARKS_MAX
  for (const character of name) {
    const last = pieces.at(-1)
    if (MARK.test(character) && !BLANK.has(character) && marks < MARKS_MAX && last !== undefined) {
      marks += 1
      pieces[pieces.length - 1] = { text: last.text + character, columns: last.columns }
      continue
    }
    const piece = pieceOf(character)
    // A mark may sit on a letter only: not on an escape, and not at the beginning, where it would join what precedes.
    marks = piece.text === character ? 0 : MARKS_MAX
    pieces.push(piece)
  }
  return pieces
}

const pieceOf = (character: string): Piece => {
  if (character === '\\') return { text: '\\\\', columns: 2 }
  if (VISIBLE.test(character) && !BLANK.has(character) && !MARK.test(character)) {
    return { text: character, columns: isWide(character.codePointAt(0) ?? 0) ? 2 : 1 }
  }
  const text = `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`
  return { text, columns: text.length }
}

const takeColumns = (pieces: readonly Piece[], maxColumns: number): string[] => {
  const taken: string[] = []
  let columns = 0
  for (const piece of pieces) {
    columns += piece.columns
    if (columns > maxColumns) break
    taken.push(piece.text)
  }
  return taken
}

/** Two columns wide in terminals: the wide and fullwidth blocks of Unicode's EastAsianWidth, and pictographs. */
const isWide = (point: number): boolean =>
  (point >= 0x1100 && point <= 0x115f) ||
  (point >= 0x2e80 && point <= 0x303e) ||
  (point >= 0x3041 && point <= 0xa4cf) ||
  (point >= 0xa960 && point <= 0xa97c) ||
  (point >= 0xac00 && point <= 0xd7a3) ||
  (point >= 0xf900 && point <= 0xfaff) ||
  (point >= 0xfe30 && point <= 0xfe6f) ||
  (point >= 0xff00 && point <= 0xff60) ||
  (point >= 0xffe0 && point <= 0xffe6) ||
  (point >= 0x1f300 && point <= 0x1f64f) ||
  (point >= 0x1f680 && point <= 0x1f6ff) ||
  (point >= 0x1f900 && point <= 0x1f9ff) ||
  (point >= 0x20000 && point <= 0x3fffd)
