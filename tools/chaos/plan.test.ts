import { expect, test } from 'vitest'
import { CRASH_POINTS } from '../../apps/node/dist/lifecycle/crashPoint.js'
import { describeFault, FAULT_KINDS, KILLS, planOf } from './plan.mjs'

const options = { isLong: false, hasNetwork: true, hasLarge: true }

test('the same seed makes the same plan, and another one another', () => {
  expect(planOf(7, options)).toEqual(planOf(7, options))
  const plans = new Set(Array.from({ length: 50 }, (_, seed) => JSON.stringify({ ...planOf(seed, options), seed: 0 })))
  expect(plans.size).toBeGreaterThan(40)
})

test('every kind of fault and every crash point that can be reached comes about', () => {
  const faults = Array.from({ length: 5000 }, (_, seed) => planOf(seed, options)).flatMap((plan) => plan.faults)
  expect([...new Set(faults.map(({ kind }) => kind))].sort()).toEqual([...FAULT_KINDS].sort())
  const points = new Set(faults.filter(({ kind }) => kind === 'crashPoint').map(({ point }) => point))
  const missing = CRASH_POINTS.filter((point) => !points.has(point))
  expect(missing).toEqual(['finalize: names: claimed', 'finalize: names: another number', 'finalize: file name taken'])
})

test('only the kinds that are asked for, and none of a network that is not there', () => {
  const kinds = (plan: ReturnType<typeof planOf>) => plan.faults.map(({ kind }) => kind)
  const asked = Array.from({ length: 100 }, (_, seed) => planOf(seed, { ...options, kinds: ['stopNode'] })).flatMap(
    kinds,
  )
  expect([...new Set(asked)]).toEqual(['stopNode'])
  const offline = Array.from({ length: 500 }, (_, seed) => planOf(seed, { ...options, hasNetwork: false })).flatMap(
    kinds,
  )
  expect(offline).not.toContain('linkDown')
  expect(offline).not.toContain('changeAddress')
})

test('a node waits for one planned crash at a time', () => {
  for (let seed = 0; seed < 2000; seed++) {
    const sides = planOf(seed, options)
      .faults.filter(({ kind }) => kind === 'crashPoint')
      .map(({ side }) => side)
    expect(new Set(sides).size).toBe(sides.length)
  }
})

test('what is told of a fault is enough to know it by', () => {
  for (let seed = 0; seed < 200; seed++) {
    for (const fault of planOf(seed, options).faults) {
      const text = describeFault(fault)
      expect(text).toContain(fault.kind === 'crashPoint' ? fault.point : fault.kind)
    }
  }
  expect(KILLS).toContain('killEverything')
  expect(KILLS).not.toContain('redisFlushed')
})
