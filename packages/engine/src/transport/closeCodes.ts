/** The numbers that stand for close codes in a CLOSE frame. A number that is not known means that the peer is newer. */
import type { CloseCode } from './types.js'

const CODES: readonly CloseCode[] = ['done', 'shutdown', 'paused', 'cancelled', 'protocol', 'replaced']

export const closeNumberOf = (code: CloseCode): number => CODES.indexOf(code)

/** The code of a number; 'protocol' for one that is not known. */
export const closeCodeOf = (number: number): CloseCode => CODES[number] ?? 'protocol'
