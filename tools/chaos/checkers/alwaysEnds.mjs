/** Property: the transfer ends, on both sides, in time, and by itself: completed, since nothing that lasts is broken. */

import { losesLog } from '../plan.mjs'

/** @type {import('./all.mjs').Checker} */
export const alwaysEnds = {
  name: 'always ends',
  check: ({ trouble, last, plan, ended }) => [
    ...trouble,
    .../** @type {const} */ (['sender', 'receiver']).flatMap((side) => {
      const view = last[side]
      if (view?.state === 'completed') return []
      // A log that is lost when all is done is not built again: the record says how it ended.
      if (view === undefined && ended[side] === 'completed' && losesLog(plan, side)) return []
      return [`the ${side} is ${view === undefined ? 'silent' : `${view.state} (${view.reason?.code ?? 'no reason'})`}`]
    }),
  ],
}
