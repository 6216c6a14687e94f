/**
 * Words out of the list: for codes (by chance) and for the comparison of two screens (from bytes). The list itself is
 * data in `wordList.ts`; the form of a code is `code.ts`.
 */
import { assert } from './assert.js'
import { WORD_LIST } from './wordList.js'

/** Words of a code: 3 × log2(7,772) = 38.8 bits. */
export const CODE_WORDS = 3
/** Words of a comparison: 51.7 bits, which nobody between the two can search while they are paired. */
export const VERIFICATION_WORDS = 4
/** Bytes that `verificationWords` takes: four a word, so that the remainder's bias stays below 2^-19. */
export const VERIFICATION_BYTES = VERIFICATION_WORDS * 4

/** A uniform integer in 0 … `exclusiveMax` - 1 from a cryptographic source. */
export type RandomInt = (exclusiveMax: number) => number

/** The three words of a code. */
export type CodeWords = readonly [string, string, string]

const KNOWN: ReadonlySet<string> = new Set(WORD_LIST)

/** Whether `text` is a word of the list, spelled exactly so. */
export const isCodeWord = (text: string): boolean => KNOWN.has(text)

const wordAt = (index: number): string => {
  const word = WORD_LIST[index]
  assert(word !== undefined, 'a word index is inside of the list')
  return word
}

/** The words of a new code. They are a secret: whoever knows them can pair. */
export const generateWords = (randomInt: RandomInt): CodeWords => [
  wordAt(randomInt(WORD_LIST.length)),
  wordAt(randomInt(WORD_LIST.length)),
  wordAt(randomInt(WORD_LIST.length)),
]

/** Four words for people to compare, from `VERIFICATION_BYTES` pseudo-random bytes; joined by spaces. */
export const verificationWords = (bytes: Uint8Array): string => {
  assert(bytes.length === VERIFICATION_BYTES, 'verification words are made of 16 bytes')
  const words: string[] = []
  for (let at = 0; at < bytes.length; at += 4) {
    let value = 0
    for (let i = 0; i < 4; i++) value = value * 256 + (bytes[at + i] ?? 0)
    words.push(wordAt(value % WORD_LIST.length))
  }
  return words.join(' ')
}
