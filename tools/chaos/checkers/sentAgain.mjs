/** Property: a fault costs at most 64 MiB that are sent again, as the receiver's network interface counts them. */

const PER_FAULT_MAX_BYTES = 64 * 2 ** 20

/** @type {import('./all.mjs').Checker} */
export const sentAgain = {
  name: 'sent again',
  check: ({ sentAgainBytes, plan }) =>
    sentAgainBytes !== undefined && sentAgainBytes > PER_FAULT_MAX_BYTES * plan.faults.length
      ? [`${Math.round(sentAgainBytes / 2 ** 20)} MiB were sent again`]
      : [],
}
