/**
 * Once everything is there again, a transfer ends: the files are there, and both sides know it. Nothing that was tried here
 * takes the source or the target away for good, so no other end is true.
 */
import { type Checker, check } from './checker.js'

const NAME = 'alwaysEnds'

export const alwaysEnds = (): Checker => ({
  name: NAME,
  atEnd: ({ outcome }) => check(outcome === 'completed', NAME, `it ends as ${outcome}`),
})
