import { describe, expect, test } from 'vitest'
import { WORD_LIST } from './wordList.js'
import { generateWords, isCodeWord, verificationWords } from './words.js'

describe('the word list', () => {
  test('has 7,772 different words of a-z in order', () => {
    expect(WORD_LIST).toHaveLength(7772)
    expect(new Set(WORD_LIST).size).toBe(7772)
    expect(WORD_LIST.every((word) => /^[a-z]{3,9}$/.test(word))).toBe(true)
    expect([...WORD_LIST].sort()).toEqual(WORD_LIST)
    expect([WORD_LIST[0], WORD_LIST.at(-1)]).toEqual(['abacus', 'zoom'])
  })

  test('knows its words and no others', () => {
    expect(isCodeWord('abacus')).toBe(true)
    for (const word of ['Abacus', 'yo-yo', '', 'constructor', '__proto__']) expect(isCodeWord(word)).toBe(false)
  })
})

test('a code takes each word from the whole list', () => {
  const asked: number[] = []
  const indices = [0, 7771, 1]
  const words = generateWords((exclusiveMax) => {
    asked.push(exclusiveMax)
    return indices[asked.length - 1] ?? 0
  })
  expect(words).toEqual(['abacus', 'zoom', 'abdomen'])
  expect(asked).toEqual([7772, 7772, 7772])
})

test('verification words are a function of the bytes', () => {
  const bytes = new Uint8Array(16)
  expect(verificationWords(bytes)).toBe('abacus abacus abacus abacus')
  bytes.set([0, 0, 0, 1, 0, 0, 0x1e, 0x5b, 0, 0, 0x1e, 0x5c])
  expect(verificationWords(bytes)).toBe('abdomen zoom abacus abacus')
})
