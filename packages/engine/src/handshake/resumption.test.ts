import { equalBytes } from '@godwit/protocol/bytes'
import { expect, test } from 'vitest'
import { lengthPrefixed } from './cpace.js'
import { confirmUse, findResumption, type ResumptionSecret, rotated } from './resumption.js'

const crypto = { isEqual: equalBytes }
const secret = (fill: number, generation: number): ResumptionSecret => ({
  id: new Uint8Array(16).fill(fill),
  secret: new Uint8Array(32).fill(fill),
  generation,
})

test('a secret is found by id and generation, until its use is confirmed', () => {
  const [old, fresh] = [secret(1, 1), secret(2, 2)]
  const both = rotated(old, fresh)
  expect(findResumption(crypto, both, fresh.id, 2)).toBe(fresh)
  expect(findResumption(crypto, both, old.id, 1)).toBe(old)
  expect(findResumption(crypto, both, old.id, 2)).toBeUndefined()
  expect(findResumption(crypto, both, secret(3, 2).id, 2)).toBeUndefined()
  const confirmed = confirmUse(both)
  expect(findResumption(crypto, confirmed, old.id, 1)).toBeUndefined()
  expect(findResumption(crypto, confirmed, fresh.id, 2)).toBe(fresh)
})

test('a run from the previous secret drops the one in between', () => {
  const both = rotated(secret(1, 1), secret(2, 2))
  const again = rotated(secret(1, 1), secret(3, 2))
  expect(findResumption(crypto, again, both.current.id, 2)).toBeUndefined()
  expect(findResumption(crypto, again, secret(1, 1).id, 1)).toEqual(secret(1, 1))
})

test('parts behind their lengths are told apart', () => {
  expect(lengthPrefixed(Uint8Array.of(1, 2), new Uint8Array(0))).toEqual(Uint8Array.of(2, 1, 2, 0))
  expect(lengthPrefixed(new Uint8Array(127))[0]).toBe(127)
  expect([...lengthPrefixed(new Uint8Array(128)).subarray(0, 3)]).toEqual([128, 1, 0])
  expect([...lengthPrefixed(new Uint8Array(300)).subarray(0, 3)]).toEqual([172, 2, 0])
  expect([...lengthPrefixed(new Uint8Array(16_384)).subarray(0, 4)]).toEqual([128, 128, 1, 0])
})
