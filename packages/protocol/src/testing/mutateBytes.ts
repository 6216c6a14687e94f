/**
 * What a hostile or broken peer makes of well-formed bytes: bits flipped, pieces cut out, doubled or moved, numbers replaced
 * by those at the edges. A change is data, so that a failing one can be shrunk and kept.
 */
export interface Change {
  readonly kind: 'flip' | 'set' | 'cut' | 'double' | 'insert' | 'truncate' | 'number'
  /** Where, as a fraction of the length, so that it fits whatever came of the changes before it. */
  readonly at: number
  readonly value: number
}

export const CHANGE_KINDS = ['flip', 'set', 'cut', 'double', 'insert', 'truncate', 'number'] as const

/** Varints at the edges: RFC 9000 §16, 2^53-1, beyond it, and the ends of the shorter forms. */
const EDGES: readonly (readonly number[])[] = [
  [0],
  [0x3f],
  [0x7f, 0xff],
  [0xbf, 0xff, 0xff, 0xff],
  [0xc0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0xc0, 0x20, 0, 0, 0, 0, 0, 0],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0xff, 0xff],
  [0x80, 0x0f, 0x42, 0x40],
]

export const mutateBytes = (bytes: Uint8Array, changes: readonly Change[]): Uint8Array => {
  let current = [...bytes]
  for (const { kind, at, value } of changes) {
    const position = Math.floor(at * current.length)
    const length = 1 + (value % 16)
    const before = current.slice(0, position)
    switch (kind) {
      case 'flip':
        if (position < current.length) current[position] = (current[position] ?? 0) ^ (1 << (value & 7))
        break
      case 'set':
        if (position < current.length) current[position] = value & 0xff
        break
      case 'cut':
        current = [...before, ...current.slice(position + length)]
        break
      case 'double':
        current = [...before, ...current.slice(position, position + length), ...current.slice(position)]
        break
      case 'insert':
        current = [...before, value & 0xff, ...current.slice(position)]
        break
      case 'truncate':
        current = before
        break
      case 'number': {
        const edge = EDGES[value % EDGES.length] ?? []
        current = [...before, ...edge, ...current.slice(position + edge.length)]
        break
      }
    }
  }
  return Uint8Array.from(current)
}
