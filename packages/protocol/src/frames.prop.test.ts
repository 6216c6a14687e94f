import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AckRanges } from './ackRanges.js'
import {
  FRAME_ACK,
  FRAME_ACK_FREQUENCY,
  FRAME_CHUNK_DATA,
  FRAME_CHUNK_HASH,
  FRAME_CLOSE,
  FRAME_CONTROL,
  FRAME_END,
  FRAME_MALFORMED,
  FRAME_MAX_CREDIT,
  FRAME_PATH_CHALLENGE,
  FRAME_PATH_RESPONSE,
  FRAME_PING,
  FrameReader,
  HASH_BYTES,
  writeAck,
  writeAckFrequency,
  writeChunkDataHeader,
  writeChunkHashHeader,
  writeControlHeader,
  writeNumberFrame,
  writePathFrame,
} from './frames.js'
import { ACK_MAX_RANGES, CHUNK_SIZE_BYTES } from './limits.js'

const readAll = (bytes: Uint8Array) => {
  const reader = new FrameReader()
  reader.reset(bytes, 0, bytes.length)
  const types: number[] = []
  for (let type = reader.next(); type !== FRAME_END; type = reader.next()) {
    types.push(type)
    if (type === FRAME_MALFORMED) break
  }
  return types
}

const rangesRead = (reader: FrameReader): [number, number][] =>
  Array.from({ length: reader.rangeCount }, (_, i) => [reader.ranges[2 * i] ?? -1, reader.ranges[2 * i + 1] ?? -1])

/** The obvious slow reference: ranges of a sorted list, newest first. */
const rangesOf = (numbers: Iterable<number>): [number, number][] => {
  const ranges: [number, number][] = []
  for (const number of [...new Set(numbers)].sort((a, b) => b - a)) {
    const last = ranges[ranges.length - 1]
    if (last !== undefined && last[0] === number + 1) last[0] = number
    else ranges.push([number, number + 1])
  }
  return ranges
}

describe('frames', () => {
  test('chunk data, hashes and control bytes come back', () => {
    fc.assert(
      fc.property(
        fc.maxSafeNat(),
        fc.nat(CHUNK_SIZE_BYTES - 1),
        fc.integer({ min: 1, max: 1400 }),
        (chunk, offset, wanted) => {
          const length = Math.min(wanted, CHUNK_SIZE_BYTES - offset)
          const buffer = new Uint8Array(5000)
          let at = writeChunkHashHeader(buffer, 0, chunk) + HASH_BYTES
          const dataAt = writeChunkDataHeader(buffer, at, chunk, offset, length)
          at = writeControlHeader(buffer, dataAt + length, offset, length)
          const end = at + length
          const reader = new FrameReader()
          reader.reset(buffer, 0, end)
          expect(reader.next()).toBe(FRAME_CHUNK_HASH)
          expect([reader.chunk, reader.dataLength]).toEqual([chunk, HASH_BYTES])
          expect(reader.next()).toBe(FRAME_CHUNK_DATA)
          expect([reader.chunk, reader.offset, reader.dataStart, reader.dataLength]).toEqual([
            chunk,
            offset,
            dataAt,
            length,
          ])
          expect(reader.next()).toBe(FRAME_CONTROL)
          expect([reader.offset, reader.dataStart, reader.dataLength]).toEqual([offset, at, length])
          expect(reader.next()).toBe(FRAME_END)
        },
      ),
    )
  })

  test('small frames come back, with padding between', () => {
    const buffer = new Uint8Array(100)
    const challenge = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)
    let at = writeNumberFrame(buffer, 2, FRAME_MAX_CREDIT, 123_456_789_012)
    at = writeAckFrequency(buffer, at + 3, 7, 64, 20_000)
    at = writePathFrame(buffer, at, FRAME_PATH_CHALLENGE, challenge)
    at = writePathFrame(buffer, at, FRAME_PATH_RESPONSE, challenge)
    buffer[at] = FRAME_PING
    at = writeNumberFrame(buffer, at + 1, FRAME_CLOSE, 3)
    const reader = new FrameReader()
    reader.reset(buffer, 0, at + 5)
    expect(reader.next()).toBe(FRAME_MAX_CREDIT)
    expect(reader.value).toBe(123_456_789_012)
    expect(reader.next()).toBe(FRAME_ACK_FREQUENCY)
    expect([reader.value, reader.threshold, reader.maxDelayUs]).toEqual([7, 64, 20_000])
    expect(reader.next()).toBe(FRAME_PATH_CHALLENGE)
    expect(buffer.subarray(reader.dataStart, reader.dataStart + reader.dataLength)).toEqual(challenge)
    expect(reader.next()).toBe(FRAME_PATH_RESPONSE)
    expect(reader.next()).toBe(FRAME_PING)
    expect(reader.next()).toBe(FRAME_CLOSE)
    expect(reader.value).toBe(3)
    expect(reader.next()).toBe(FRAME_END)
  })

  test('an ACK reports the newest ranges that fit', () => {
    const numbers = fc.array(fc.nat(300), { minLength: 1, maxLength: 200 })
    fc.assert(
      fc.property(numbers, fc.nat(1000), fc.integer({ min: 8, max: 400 }), (received, delayUs, room) => {
        const ranges = new AckRanges()
        for (const number of received) ranges.add(number)
        const buffer = new Uint8Array(room)
        const end = writeAck(buffer, 0, room, ranges, delayUs)
        expect(end).toBeGreaterThan(0)
        expect(end).toBeLessThanOrEqual(room)
        const reader = new FrameReader()
        reader.reset(buffer, 0, end)
        expect(reader.next()).toBe(FRAME_ACK)
        expect(reader.value).toBe(delayUs)
        const expected = rangesOf(received)
        const read = rangesRead(reader)
        expect(read).toEqual(expected.slice(0, read.length))
        if (room >= 300) expect(read.length).toBe(Math.min(expected.length, ACK_MAX_RANGES))
        expect(reader.next()).toBe(FRAME_END)
      }),
    )
  })

  test('any bytes are read to an end without a throw', () => {
    const byte = fc.oneof(fc.nat(255), fc.nat(12))
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 120 }), (bytes) => {
        expect(readAll(Uint8Array.from(bytes)).length).toBeLessThanOrEqual(bytes.length)
      }),
      { numRuns: 2000 },
    )
  })

  test.each([
    ['an unknown type', [0x0c]],
    ['chunk data beyond the chunk', [FRAME_CHUNK_DATA, 0, 0x80, 0x10, 0, 0, 1, 0xff]],
    ['chunk data without bytes', [FRAME_CHUNK_DATA, 0, 0, 0]],
    ['chunk data that is cut off', [FRAME_CHUNK_DATA, 0, 0, 3, 1, 2]],
    ['an ACK below zero', [FRAME_ACK, 3, 0, 0, 4]],
    ['an ACK whose older range is below zero', [FRAME_ACK, 9, 0, 1, 3, 4, 2]],
    ['an ACK of too many ranges', [FRAME_ACK, 0x40, 0x80, 0, 0x40, 0x40, 0]],
    ['an ack threshold of nothing', [FRAME_ACK_FREQUENCY, 1, 0, 10]],
  ])('%s is malformed', (_name, bytes) => {
    expect(readAll(Uint8Array.from(bytes)).at(-1)).toBe(FRAME_MALFORMED)
  })
})

describe('received packet numbers', () => {
  test('are the newest ranges of what was added', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(60), { maxLength: 80 }), (received) => {
        const ranges = new AckRanges(100)
        for (const number of received) ranges.add(number)
        const held = Array.from({ length: ranges.count }, (_, i) => [ranges.startAt(i), ranges.endAt(i)])
        expect(held).toEqual(rangesOf(received))
        expect(ranges.largest).toBe(received.length === 0 ? -1 : Math.max(...received))
        for (let number = 0; number <= 60; number++) expect(ranges.has(number)).toBe(received.includes(number))
      }),
    )
  })

  test('forget the oldest range when there are too many', () => {
    const ranges = new AckRanges(3)
    for (const number of [2, 4, 6, 8, 0]) ranges.add(number)
    expect([ranges.count, ranges.startAt(0), ranges.startAt(2), ranges.has(2), ranges.has(0)]).toEqual([
      3,
      8,
      4,
      false,
      false,
    ])
  })
})
