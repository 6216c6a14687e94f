import { expect, test } from 'vitest'
import { elapsedIn, receivedIn } from './reports.mjs'

test("uftp's report names the seconds of the transfer, without those of its announcement", () => {
  const report =
    'Transfer status:\nHost: 0x0A4D0002       Status: Completed   time:   5.791 seconds\nTotal elapsed time: 5.791 seconds\n'
  expect(elapsedIn(report)).toBe(5.791)
  expect(elapsedIn('no client answered')).toBeUndefined()
})

test("iperf3's JSON tells what the receiver got, of UDP in older versions as what was not lost", () => {
  expect(receivedIn(JSON.stringify({ end: { sum_received: { bits_per_second: 800 } } }))).toBe(100)
  expect(receivedIn(JSON.stringify({ end: { sum: { bits_per_second: 1000, lost_percent: 20 } } }))).toBe(100)
  expect(receivedIn(JSON.stringify({ error: 'unable to connect' }))).toBeUndefined()
  expect(receivedIn('')).toBeUndefined()
})
