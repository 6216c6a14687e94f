/**
 * The last check of text before it reaches a terminal: control, format and line-breaking characters become visible
 * escapes. Names come escaped from the node; doing it again changes nothing.
 */

// Cc: control, Cf: format (bidi and zero width), Cs: lone surrogates, Zl and Zp: line and paragraph separators.
const unprintable = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu

// The joiners that emoji and several scripts are written with.
const joiners = new Set(['\u200c', '\u200d'])

export const printable = (text: string): string =>
  text.replace(unprintable, (character) =>
    joiners.has(character) ? character : `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  )

/**
 * An object as a line of JSON: the value is exact, and nothing in it is obeyed by a terminal that it is printed on.
 * JSON.stringify itself leaves C1 controls and direction marks as they are.
 */
export const printableJson = (object: unknown): string =>
  JSON.stringify(object).replace(unprintable, (character) =>
    joiners.has(character)
      ? character
      : Array.from({ length: character.length }, (_, index) => escapedUnit(character.charCodeAt(index))).join(''),
  )

const escapedUnit = (unit: number): string => `\\u${unit.toString(16).padStart(4, '0')}`
