/**
 * `npm run sim`: simulates transfers, a seed each. Known failures come first; a seed that fails is told with the end of its
 * trace and can be run alone. To be started by `tools/sim/sim.mjs`, which puts the simulated system in Node's place.
 */
import { createHandshakeCrypto } from '../crypto/handshakeCrypto.js'
import { CheckFailed } from './checkers/checker.js'
import type { Mutation } from './mutations.js'
import { kernel, ProcessDead } from './os/kernel.js'
import { installVirtualTime } from './os/time.js'
import { World, type WorldResult } from './world.js'

/** Lines of a failed seed's trace that are printed. */
const TRACE_LINES = 80

export interface SimulationOptions {
  readonly seeds: readonly number[]
  /** Prints everything that happens. */
  readonly isTraced: boolean
  readonly mutation: Mutation | undefined
  readonly commit: string
  readonly print: (line: string) => void
  /** Ends after this many failures. */
  readonly failuresMax: number
}

export interface SimulationResult {
  readonly passed: number
  readonly failed: readonly { readonly seed: number; readonly text: string }[]
}

const now = performance.now.bind(performance)

export const simulate = async (options: SimulationOptions): Promise<SimulationResult> => {
  const { seeds, isTraced, mutation, print } = options
  installVirtualTime()
  process.on('unhandledRejection', (reason) => {
    if (!(reason instanceof ProcessDead)) kernel().bugs.push(reason)
  })
  const crypto = await createHandshakeCrypto()
  const run = (seed: number, trace?: (line: string) => void): Promise<WorldResult> =>
    new World({
      seed,
      crypto,
      ...(trace === undefined ? {} : { trace }),
      ...(mutation === undefined ? {} : { mutation }),
    }).run(seed)
  const totals = { faults: new Map<string, number>(), virtualSeconds: 0, lives: 0, sessions: 0, retries: 0 }
  const failed: { seed: number; text: string }[] = []
  let passed = 0
  const startedMs = now()
  for (const seed of seeds) {
    const result = await run(seed, isTraced ? print : undefined)
    totals.virtualSeconds += result.virtualSeconds
    totals.lives += result.lives
    totals.sessions += result.sessions
    totals.retries += result.retries
    for (const fault of result.faults) totals.faults.set(fault, (totals.faults.get(fault) ?? 0) + 1)
    if (result.failure === undefined) {
      passed += 1
      if (passed % 1000 === 0) print(`${passed} seeds passed`)
      continue
    }
    const text = textOf(result.failure)
    failed.push({ seed, text })
    print(`seed ${seed} failed (commit ${options.commit}): ${text}`)
    if (!isTraced && mutation === undefined) {
      const lines: string[] = []
      await run(seed, (line) => {
        lines.push(line)
        if (lines.length > 2 * TRACE_LINES) lines.splice(0, TRACE_LINES)
      })
      for (const line of lines.slice(-TRACE_LINES)) print(`  ${line}`)
      print(`  all of it: npm run sim -- --seed ${seed} --trace`)
    }
    if (failed.length >= options.failuresMax) break
  }
  const seconds = (now() - startedMs) / 1000
  const faults = [...totals.faults].sort(([, a], [, b]) => b - a).map(([name, count]) => `${count} ${name}`)
  print(`faults: ${faults.join(', ') || 'none'}`)
  print(
    `${totals.lives} lives, ${Math.round(totals.sessions / 2)} sessions, ${totals.retries} asked to go on, ` +
      `${(totals.virtualSeconds / 3600).toFixed(1)} virtual hours in ${seconds.toFixed(1)} s`,
  )
  return { passed, failed }
}

const textOf = (failure: unknown): string => {
  if (failure instanceof CheckFailed) return failure.message
  return failure instanceof Error ? (failure.stack ?? failure.message) : String(failure)
}
