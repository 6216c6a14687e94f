/** All micro-benchmarks of `npm run bench`. Imports what was built: load it after the set-up. */
import { codecOperations } from './codecOperations.mjs'
import { cryptoOperations } from './cryptoOperations.mjs'
import { measure } from './measure.mjs'
import { schedulerOperations } from './schedulerOperations.mjs'
import { setOperations } from './setOperations.mjs'

/**
 * @param {string} pattern - only those whose name contains it; '' for all.
 * @param {(measurement: import('./measure.mjs').Measurement) => void} onMeasured
 */
export function runMicro(pattern, onMeasured) {
  const operations = [...codecOperations(), ...setOperations(), ...schedulerOperations(), ...cryptoOperations()]
  for (const operation of operations) {
    if (operation.name.toLowerCase().includes(pattern.toLowerCase())) onMeasured(measure(operation))
  }
}
