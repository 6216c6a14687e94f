/** Property: the transfer ends, on both sides, in time, and by itself: completed, since nothing that lasts is broken. */

/** @type {import('./all.mjs').Checker} */
export const alwaysEnds = {
  name: 'always ends',
  check: ({ trouble, last }) => [
    ...trouble,
    .../** @type {const} */ (['sender', 'receiver']).flatMap((side) => {
      const view = last[side]
      if (view?.state === 'completed') return []
      return [`the ${side} is ${view === undefined ? 'silent' : `${view.state} (${view.reason?.code ?? 'no reason'})`}`]
    }),
  ],
}
