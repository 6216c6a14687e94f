/** What happens to a simulated transfer on its way: chosen from the seed, one after the other. */
import type { SeededRandom } from '@godwit/engine/testing/random'
import type { LinkOptions } from '@godwit/engine/testing/virtualLink'

export type Side = 'sender' | 'receiver'

export type Fault =
  /** SIGKILL, with or without a power cut, now or at one of the next steps. It comes back after `backUs`. */
  | {
      readonly is: 'kill'
      readonly side: Side
      readonly isPowerCut: boolean
      readonly inSteps: number
      readonly backUs: number
    }
  | { readonly is: 'killBoth'; readonly isPowerCut: boolean; readonly backUs: number }
  /** SIGTERM, and started again. */
  | { readonly is: 'leave'; readonly side: Side; readonly backUs: number }
  /** SIGSTOP until `forUs` later. */
  | { readonly is: 'stop'; readonly side: Side; readonly forUs: number }
  | { readonly is: 'redisAway'; readonly side: Side; readonly forUs: number }
  /** Killed; its Redis comes back as it was `us` ago. */
  | { readonly is: 'redisForgets'; readonly side: Side; readonly us: number; readonly backUs: number }
  | { readonly is: 'dark'; readonly sides: readonly Side[]; readonly forUs: number }
  | { readonly is: 'links'; readonly name: string; readonly options: Partial<LinkOptions> }
  | { readonly is: 'rebind'; readonly side: Side; readonly isOtherAddress: boolean }
  | { readonly is: 'rendezvousAway'; readonly forUs: number }
  | { readonly is: 'rendezvousForgets' }
  | { readonly is: 'clock'; readonly side: Side; readonly byMs: number }
  | { readonly is: 'diskFull'; readonly forUs: number }
  | { readonly is: 'pause'; readonly side: Side; readonly forUs: number }

export const LINKS: Readonly<Record<string, Partial<LinkOptions>>> = {
  lan: { rate: 12_500_000, delayUs: 300 },
  wifi: { rate: 5_000_000, delayUs: 3000, jitterUs: 4000, lossRate: 0.02 },
  lte: { rate: 2_000_000, delayUs: 40_000, jitterUs: 15_000, lossRate: 0.005 },
  mess: {
    rate: 3_000_000,
    delayUs: 15_000,
    jitterUs: 20_000,
    lossRate: 0.05,
    burstRate: 0.001,
    duplicateRate: 0.02,
    corruptRate: 0.02,
  },
}

const SECOND_US = 1_000_000
const ALL_US = Number.MAX_SAFE_INTEGER

/** A fault by chance. */
export const someFault = (random: SeededRandom): Fault => {
  const side: Side = random.happens(0.5) ? 'sender' : 'receiver'
  const backUs = 50_000 + random.below(3 * SECOND_US)
  const isPowerCut = random.happens(0.5)
  const kinds: readonly (() => Fault)[] = [
    () => ({ is: 'kill', side, isPowerCut, inSteps: 0, backUs }),
    () => ({ is: 'kill', side, isPowerCut, inSteps: 1 + random.below(40), backUs }),
    () => ({ is: 'kill', side: 'receiver', isPowerCut, inSteps: 1 + random.below(40), backUs }),
    () => ({ is: 'kill', side: 'receiver', isPowerCut, inSteps: 1 + random.below(200), backUs }),
    () => ({ is: 'killBoth', isPowerCut, backUs }),
    () => ({ is: 'leave', side, backUs }),
    () => ({ is: 'stop', side, forUs: random.below(40 * SECOND_US) }),
    () => ({ is: 'redisAway', side, forUs: random.below(random.happens(0.2) ? 90 * SECOND_US : 5 * SECOND_US) }),
    () => ({ is: 'redisForgets', side, us: random.happens(0.5) ? SECOND_US : ALL_US, backUs }),
    () => ({
      is: 'dark',
      sides: random.happens(0.5) ? ['sender', 'receiver'] : [side],
      forUs: random.below(random.happens(0.3) ? 70 * SECOND_US : 5 * SECOND_US),
    }),
    () => {
      const names = Object.keys(LINKS)
      const name = names[random.below(names.length)] ?? 'lan'
      return { is: 'links', name, options: LINKS[name] ?? {} }
    },
    () => ({ is: 'rebind', side, isOtherAddress: random.happens(0.5) }),
    () => ({ is: 'rendezvousAway', forUs: random.below(20 * SECOND_US) }),
    () => ({ is: 'rendezvousForgets' }),
    () => ({ is: 'clock', side, byMs: random.happens(0.5) ? -3_600_000 : 3_600_000 }),
    () => ({ is: 'diskFull', forUs: random.below(10 * SECOND_US) }),
    () => ({ is: 'pause', side, forUs: random.below(5 * SECOND_US) }),
  ]
  const make = kinds[random.below(kinds.length)]
  return make === undefined ? { is: 'killBoth', isPowerCut, backUs } : make()
}
