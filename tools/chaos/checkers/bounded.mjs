/** Property: memory and open files of both nodes stay within bounds, and files do not pile up from run to run. */

const RSS_MAX_BYTES = 900 * 2 ** 20
const OPEN_FILES_MAX = 400

/** @type {import('./all.mjs').Checker} */
export const bounded = {
  name: 'bounded',
  check: ({ resources }) =>
    resources.flatMap(({ side, peakRssBytes, openFiles }) => [
      ...(peakRssBytes > RSS_MAX_BYTES ? [`the ${side} took ${Math.round(peakRssBytes / 2 ** 20)} MiB of memory`] : []),
      ...(openFiles > OPEN_FILES_MAX ? [`the ${side} has ${openFiles} files open`] : []),
    ]),
}
