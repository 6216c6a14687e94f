import { expect, test } from 'vitest'
import { SendingSlots } from './sendingSlots.js'

const waiter = (turns: string[], name: string, priority: number, createdAt: number) => ({
  priority,
  createdAt,
  onTurn: () => turns.push(name),
})

test('who finds no place waits, and goes by priority and then by age', () => {
  const slots = new SendingSlots(1)
  const turns: string[] = []
  expect(slots.take('a')).toBe(true)
  expect(slots.take('a')).toBe(true)
  expect(slots.take('b')).toBe(false)
  slots.wait('b', waiter(turns, 'b', 5, 2))
  slots.wait('c', waiter(turns, 'c', 5, 1))
  slots.wait('d', waiter(turns, 'd', 9, 3))
  slots.release('a')
  slots.release('d')
  slots.release('c')
  expect(turns).toEqual(['d', 'c', 'b'])
})

test('another priority while waiting is another position', () => {
  const slots = new SendingSlots(1)
  const turns: string[] = []
  slots.take('a')
  slots.wait('b', waiter(turns, 'b', 5, 1))
  slots.wait('c', waiter(turns, 'c', 5, 2))
  slots.wait('c', waiter(turns, 'c', 6, 2))
  slots.release('a')
  expect(turns).toEqual(['c'])
})

test('more places are filled at once, and fewer put nobody out', () => {
  const slots = new SendingSlots(1)
  const turns: string[] = []
  slots.take('a')
  slots.wait('b', waiter(turns, 'b', 5, 1))
  slots.setMax(2)
  expect(turns).toEqual(['b'])
  slots.setMax(1)
  expect(slots.take('a')).toBe(true)
  expect(slots.take('b')).toBe(true)
  expect(slots.take('c')).toBe(false)
})

test('at a start nobody who waits gets a place before all who wait are known', () => {
  const slots = new SendingSlots(1, false)
  const turns: string[] = []
  slots.wait('low', waiter(turns, 'low', 2, 1))
  slots.wait('high', waiter(turns, 'high', 9, 2))
  expect(turns).toEqual([])
  slots.open()
  expect(turns).toEqual(['high'])
})

test('who gives up its wait is not called', () => {
  const slots = new SendingSlots(1)
  const turns: string[] = []
  slots.take('a')
  slots.wait('b', waiter(turns, 'b', 5, 1))
  slots.release('b')
  slots.release('a')
  expect(turns).toEqual([])
})
