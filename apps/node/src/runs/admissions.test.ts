import { HANDSHAKE_TIMEOUT_MS } from '@godwit/protocol/limits'
import { expect, test } from 'vitest'
import { Admissions } from './admissions.js'

test('who holds a place without pairing is overdue after the time of a handshake', () => {
  const admissions = new Admissions()
  expect(admissions.look(['a'], 1000)).toEqual({ receivers: [], nextInMs: HANDSHAKE_TIMEOUT_MS })
  expect(admissions.look(['a', 'b'], 6000)).toEqual({ receivers: [], nextInMs: HANDSHAKE_TIMEOUT_MS - 5000 })
  expect(admissions.look(['a', 'b'], 1000 + HANDSHAKE_TIMEOUT_MS)).toEqual({ receivers: ['a'], nextInMs: 5000 })
  expect(admissions.look(['b'], 6000 + HANDSHAKE_TIMEOUT_MS)).toEqual({ receivers: ['b'], nextInMs: undefined })
})

test('who has paired or left meanwhile begins anew', () => {
  const admissions = new Admissions()
  admissions.look(['a'], 0)
  expect(admissions.look([], HANDSHAKE_TIMEOUT_MS)).toEqual({ receivers: [], nextInMs: undefined })
  expect(admissions.look(['a'], HANDSHAKE_TIMEOUT_MS)).toEqual({ receivers: [], nextInMs: HANDSHAKE_TIMEOUT_MS })
})
