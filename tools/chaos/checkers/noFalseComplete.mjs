/** Property: from the moment that a side says completed, the files are there, and it goes on saying so. */

import { losesLog } from '../plan.mjs'

/** @type {import('./all.mjs').Checker} */
export const noFalseComplete = {
  name: 'no false complete',
  check: ({ samples, missingAtCompletion, plan }) => {
    const found = missingAtCompletion.map((missing) => `completed, but ${missing}`)
    for (const side of /** @type {const} */ (['sender', 'receiver'])) {
      const states = samples.flatMap((sample) => (sample[side] === undefined ? [] : [sample[side].state]))
      const first = states.indexOf('completed')
      const later = first < 0 ? undefined : states.slice(first).find((state) => state !== 'completed')
      // Who forgets that it is complete finds it again.
      if (later !== undefined && !losesLog(plan, side)) found.push(`the ${side} said completed and then ${later}`)
    }
    return found
  },
}
