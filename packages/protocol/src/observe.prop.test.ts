import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatIp } from './candidatesIp.js'
import {
  decodeObserveAnswer,
  decodeObserveRequest,
  encodeObserveAnswer,
  encodeObserveRequest,
  OBSERVE_ANSWER_BYTES,
  OBSERVE_REQUEST_BYTES,
} from './observe.js'

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })

test('a request comes back as it was, and an answer is never longer than its request', () => {
  fc.assert(
    fc.property(bytes(32), bytes(8), (token, nonce) => {
      const datagram = encodeObserveRequest({ token, nonce })
      expect(datagram.length).toBe(OBSERVE_REQUEST_BYTES)
      expect(decodeObserveRequest(datagram)).toEqual({ token, nonce })
    }),
  )
  expect(OBSERVE_ANSWER_BYTES).toBeLessThanOrEqual(OBSERVE_REQUEST_BYTES)
})

test('an answer tells the address, to whoever knows the nonce', () => {
  const address = fc.oneof(bytes(4), bytes(16)).filter((ip) => !isMapped(ip))
  fc.assert(
    fc.property(bytes(8), address, fc.integer({ min: 1, max: 65_535 }), (nonce, ip, port) => {
      const answer = encodeObserveAnswer(nonce, { ip: formatIp(ip), port })
      expect(answer).toBeDefined()
      if (answer === undefined) return
      const family = ip.length === 4 ? 'ipv4' : 'ipv6'
      expect(decodeObserveAnswer(answer, nonce)).toEqual({ family, ip: formatIp(ip), port })
      const otherNonce = nonce.map((byte) => byte ^ 1)
      expect(decodeObserveAnswer(answer, otherNonce)).toBeUndefined()
    }),
  )
})

test('an IPv4 address that a dual-stack socket shows as IPv6 is told as IPv4', () => {
  const nonce = new Uint8Array(8)
  const answer = encodeObserveAnswer(nonce, { ip: '::ffff:192.0.2.7', port: 4907 })
  expect(answer && decodeObserveAnswer(answer, nonce)).toEqual({ family: 'ipv4', ip: '192.0.2.7', port: 4907 })
  expect(encodeObserveAnswer(nonce, { ip: 'fe80::1%eth0', port: 1 })).toBeDefined()
  expect(encodeObserveAnswer(nonce, { ip: 'not an address', port: 1 })).toBeUndefined()
})

test('anything else is no request and no answer', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), bytes(8), (datagram, nonce) => {
      expect(decodeObserveRequest(datagram)).toBeUndefined()
      expect(decodeObserveAnswer(datagram, nonce)).toBeUndefined()
    }),
  )
  const request = encodeObserveRequest({ token: new Uint8Array(32), nonce: new Uint8Array(8) })
  request[63] = 1
  expect(decodeObserveRequest(request)).toBeUndefined()
})

const isMapped = (ip: Uint8Array): boolean =>
  ip.length === 16 && ip.subarray(0, 10).every((byte) => byte === 0) && ip[10] === 255 && ip[11] === 255
