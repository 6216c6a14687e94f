import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { PACKET_IN_FLIGHT, RECORDS_PER_PACKET_MAX, SentPackets } from './sentPackets.js'

describe('the ring of sent packets', () => {
  test('gives back what each packet carried, once, and stays within its bound', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('send' as const), records: fc.nat(4), times: fc.integer({ min: 1, max: 400 }) }),
      fc.record({ kind: fc.constant('untracked' as const) }),
      fc.record({ kind: fc.constantFrom('acked' as const, 'lost' as const), pick: fc.nat() }),
      fc.record({ kind: fc.constant('all' as const) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const packets = new SentPackets(2048)
        const reference = new Map<number, number[]>()
        let told: number[] = []
        const listener = {
          onRecordAcked: (_kind: number, chunk: number) => told.push(chunk),
          onRecordLost: (_kind: number, chunk: number) => told.push(chunk),
        }
        let nextRecord = 0
        const take = (packet: number, isLost: boolean): void => {
          told = []
          if (isLost) packets.markLost(packet, listener)
          else packets.markAcked(packet, listener)
          expect(told).toEqual(reference.get(packet))
          reference.delete(packet)
        }
        for (const item of steps) {
          if (item.kind === 'send') {
            for (let i = 0; i < item.times && packets.hasRoom(); i++) {
              const records: number[] = []
              for (let r = 0; r < item.records; r++) {
                packets.addRecord(1, nextRecord, 0, 0)
                records.push(nextRecord++)
              }
              reference.set(packets.next, records)
              packets.onSent(0, 1200, 0, 0, 0, false)
            }
          } else if (item.kind === 'untracked') {
            if (packets.hasUntrackedRoom()) packets.onSentUntracked()
          } else if (item.kind === 'all') {
            for (const packet of [...reference.keys()]) take(packet, false)
          } else {
            const keys = [...reference.keys()]
            const packet = keys[item.pick % Math.max(1, keys.length)]
            if (packet !== undefined) take(packet, item.kind === 'lost')
          }
          packets.advance()
          expect(packets.inFlight).toBe(reference.size)
          expect(packets.lowest).toBe(Math.min(packets.next, ...reference.keys()))
          expect([...reference.keys()].every((packet) => packets.stateOf(packet) === PACKET_IN_FLIGHT)).toBe(true)
          expect(packets.capacity).toBeLessThanOrEqual(2048)
        }
      }),
      { numRuns: 60 },
    )
  })

  test('is full at its bound, with a reserve for packets that only acknowledge', () => {
    const packets = new SentPackets(64)
    while (packets.hasRoom()) {
      for (let i = 0; i < RECORDS_PER_PACKET_MAX; i++) packets.addRecord(1, i, 0, 0)
      packets.onSent(0, 1200, 0, 0, 0, false)
    }
    expect(packets.hasUntrackedRoom()).toBe(true)
    while (packets.hasUntrackedRoom()) packets.onSentUntracked()
    expect(packets.next).toBe(64)
  })
})
