/**
 * Names as they are shown: on a terminal, in a log, in an answer of the API. A name from a peer may hold escape
 * sequences, line feeds or text-direction characters; what is shown holds none, and different names look different.
 */

// Letters, marks, numbers, punctuation, symbols and the plain space; everything else is written as an escape.
const escaped = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]|\\/gu

const escapeOne = (character: string): string => {
  if (character === '\\') return '\\\\'
  const point = character.codePointAt(0) ?? 0
  return point < 0x1_0000 ? `\\u${point.toString(16).padStart(4, '0')}` : `\\u{${point.toString(16)}}`
}

/** A name with everything escaped that is not a visible character or a space; at most `maxLength` characters and `…`. */
export const displayName = (name: string, maxLength = 255): string => {
  const shown = name.replace(escaped, escapeOne)
  if (shown.length <= maxLength) return shown
  return `${Array.from(shown).slice(0, maxLength).join('')}…`
}

/** A relative path for people: its components joined by `/`, each escaped. */
export const displayPath = (path: readonly string[]): string => path.map((name) => displayName(name)).join('/')
