import { TICKET_TTL_MS, TICKETS_MAX } from '@godwit/protocol/limits'
import { expect, test } from 'vitest'
import { Tickets } from './tickets.js'

const ticketsAt = () => {
  const clock = { ms: 0 }
  return { clock, tickets: new Tickets(() => clock.ms) }
}

test('a ticket is good once', () => {
  const { tickets } = ticketsAt()
  const ticket = tickets.issue()
  expect(tickets.stateOf(ticket)).toBe('waiting')
  expect(tickets.redeem(ticket)).toBe(true)
  expect(tickets.stateOf(ticket)).toBe('used')
  expect(tickets.redeem(ticket)).toBe(false)
})

test('a ticket is good for a minute', () => {
  const { clock, tickets } = ticketsAt()
  const ticket = tickets.issue()
  clock.ms = TICKET_TTL_MS - 1
  expect(tickets.stateOf(ticket)).toBe('waiting')
  clock.ms = TICKET_TTL_MS
  expect(tickets.redeem(ticket)).toBe(false)
  expect(tickets.stateOf(ticket)).toBe('gone')
})

test('what was never issued is not good', () => {
  const { tickets } = ticketsAt()
  tickets.issue()
  expect(tickets.redeem('a'.repeat(43))).toBe(false)
})

test('a further ticket drops the oldest', () => {
  const { tickets } = ticketsAt()
  const issued = Array.from({ length: TICKETS_MAX + 1 }, () => tickets.issue())
  expect(issued.map((ticket) => tickets.redeem(ticket))).toEqual([false, ...Array(TICKETS_MAX).fill(true)])
})
