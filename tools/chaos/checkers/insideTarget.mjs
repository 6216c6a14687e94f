/** Property: nothing is written but into the target and the node's own folders; no staging is left; the sources stay. */
import { readdirSync } from 'node:fs'
import { basename } from 'node:path'

/** @type {import('./all.mjs').Checker} */
export const insideTarget = {
  name: 'inside the target',
  check: ({ cargo, output, around, sourcesChanged }) => {
    const sent = cargo.paths.map((path) => basename(path))
    const there = readdirSync(output)
    return [
      ...there.filter((name) => !sent.includes(name)).map((name) => `${name} is in the target and was not sent`),
      ...around.after
        .filter((name) => !around.before.includes(name))
        .map((name) => `${name} appeared beside the target`),
      ...sourcesChanged,
    ]
  },
}
