/** Stands in for `node:timers/promises` in a simulation. */

/** @param ms - virtual milliseconds. */
const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const immediate = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

export { delay as setTimeout, immediate as setImmediate }
