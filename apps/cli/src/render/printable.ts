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
