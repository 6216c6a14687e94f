/**
 * `node tools/bench/profileTop.mjs [--sum] [--top N] FILE|FOLDER...`: in which functions the time of CPU profiles went,
 * profile by profile (each is one thread), or with `--sum` over all of them.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { selfTimes, selfTimesText } from './cpuProfile.mjs'
import { ROOT } from './machine.mjs'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { sum: { type: 'boolean', default: false }, top: { type: 'string', default: '30' } },
})
const files = positionals.flatMap((path) =>
  statSync(path).isDirectory()
    ? readdirSync(path)
        .filter((name) => name.endsWith('.cpuprofile'))
        .map((name) => join(path, name))
    : [path],
)
if (files.length === 0) {
  console.error('usage: node tools/bench/profileTop.mjs [--sum] [--top N] FILE|FOLDER...')
  process.exit(2)
}
const groups = values.sum ? [files] : files.map((file) => [file])
for (const group of groups) {
  const profiles = group.map((file) => JSON.parse(readFileSync(file, 'utf8')))
  console.log(`${group.join(' ')}\n${selfTimesText(selfTimes(profiles, ROOT), Number(values.top))}\n`)
}
