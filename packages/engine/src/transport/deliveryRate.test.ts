import { describe, expect, test } from 'vitest'
import { DeliveryRate } from './deliveryRate.js'
import { SentPackets } from './sentPackets.js'

const SIZE = 1000

/** Sends packets at the given times and acknowledges groups of them. */
const path = () => {
  const packets = new SentPackets(1024)
  const rate = new DeliveryRate()
  return {
    rate,
    send: (nowUs: number): void => {
      rate.onSend(nowUs, packets.inFlight)
      const { delivered, deliveredTimeUs, firstSentTimeUs, isAppLimited } = rate
      packets.onSent(nowUs, SIZE, delivered, deliveredTimeUs, firstSentTimeUs, isAppLimited)
    },
    ack: (nowUs: number, numbers: readonly number[], minRttUs = 0): void => {
      rate.startAck()
      for (const number of numbers) {
        rate.onPacketAcked(nowUs, packets, number)
        packets.markAcked(number, { onRecordAcked: () => undefined, onRecordLost: () => undefined })
      }
      rate.endAck(minRttUs)
    },
  }
}

describe('the delivery rate', () => {
  test('is what was delivered since the newest packet was sent, over the longer of sending and acknowledging', () => {
    const { rate, send, ack } = path()
    for (let i = 0; i < 4; i++) send(i * 1000)
    ack(10_000, [0, 1])
    expect([rate.sampleBytes, rate.sampleIntervalUs]).toEqual([2000, 10_000])
    ack(12_000, [2, 3])
    expect([rate.sampleBytes, rate.sampleIntervalUs]).toEqual([4000, 12_000])
    send(12_000)
    send(13_000)
    ack(22_000, [4])
    expect([rate.sampleBytes, rate.sampleIntervalUs]).toEqual([1000, 10_000])
  })

  test('is sampled by the packet that was sent last, in whatever order a frame names them', () => {
    for (const order of [
      [2, 3, 0, 1],
      [0, 1, 2, 3],
    ]) {
      const { rate, send, ack } = path()
      for (let i = 0; i < 4; i++) send(i * 1000)
      ack(10_000, order)
      expect([rate.sampleBytes, rate.sampleIntervalUs, rate.firstSentTimeUs]).toEqual([4000, 10_000, 3000])
    }
  })

  test('has no sample where time was compressed below a round trip', () => {
    const { rate, send, ack } = path()
    send(0)
    ack(5000, [0], 6000)
    expect(rate.sampleIntervalUs).toBe(0)
  })

  test('is marked while the application is the limit, until what was in flight then is through', () => {
    const { rate, send, ack } = path()
    send(0)
    rate.onAppLimited(SIZE)
    send(1000)
    ack(10_000, [0])
    expect(rate.isSampleAppLimited).toBe(false)
    send(10_000)
    ack(11_000, [1])
    expect([rate.isSampleAppLimited, rate.isAppLimited]).toEqual([true, false])
    send(11_000)
    ack(20_000, [2])
    ack(21_000, [3])
    expect(rate.isSampleAppLimited).toBe(false)
  })
})
