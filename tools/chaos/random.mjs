/** Chance by a seed: the same seed makes the same run. */
import { SeededRandom } from '../../packages/engine/dist/testing/random.js'

export class Chance extends SeededRandom {
  /** An integer from `low` to `high`, both included. @param {number} low @param {number} high */
  between(low, high) {
    return low + this.below(high - low + 1)
  }

  /** @template T @param {readonly T[]} list @returns {T} */
  pick(list) {
    return list[this.below(list.length)]
  }

  /** @template T @param {readonly (readonly [weight: number, value: T])[]} list @returns {T} */
  weighted(list) {
    let at = this.next() * list.reduce((sum, [weight]) => sum + weight, 0)
    for (const [weight, value] of list) {
      at -= weight
      if (at < 0) return value
    }
    return list[list.length - 1][1]
  }
}
