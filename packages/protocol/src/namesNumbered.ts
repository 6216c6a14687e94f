/** The other name for something whose name is taken: `film (1).mkv`, `photos (1)`. */
import { assert } from './assert.js'
import { utf8Length } from './bytesText.js'
import { PATH_COMPONENT_MAX_BYTES } from './limits.js'

/** Numbers tried before a folder counts as full of copies. */
export const NUMBERED_NAME_MAX = 9_999

/**
 * `name` with ` (number)` behind it, before a file's extension (`.tar.gz` and its like count as one). The stem is cut
 * where the whole would pass PATH_COMPONENT_MAX_BYTES. 0 is the name itself.
 */
export const numberedName = (name: string, number: number, kind: 'file' | 'folder'): string => {
  assert(Number.isInteger(number) && number >= 0 && number <= NUMBERED_NAME_MAX, 'a copy has a small number')
  if (number === 0) return name
  const extension = kind === 'file' ? extensionOf(name) : ''
  const tail = ` (${number})${extension}`
  const stem = Array.from(name.slice(0, name.length - extension.length))
  while (stem.length > 1 && utf8Length(stem.join('')) + utf8Length(tail) > PATH_COMPONENT_MAX_BYTES) stem.pop()
  return stem.join('') + tail
}

/** The last extension with its dot; empty for none, for a dotfile and for what is too long or a mere number. */
const extensionOf = (name: string): string => /(?<=[^.])(?:\.tar)?\.(?=[^. ]*\p{L})[^. ]{1,16}$/u.exec(name)?.[0] ?? ''
