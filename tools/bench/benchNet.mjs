/**
 * `npm run bench:net` (root): Godwit beside other programs between two hosts, over a virtual cable and over emulated links,
 * row by row. Installs nothing: who is missing is left out by name.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { linksimMissing } from '../linksim/build.mjs'
import { cacheDirOf } from '../setUp/paths.mjs'
import { EXIT_SET_UP, setUp } from '../setUp/setUp.mjs'
import { runAndCleanUp, UsageError } from './cleanUp.mjs'
import { machine, machineText, ROOT } from './machine.mjs'
import { joined } from './net/earlier.mjs'
import { hostsMissing } from './net/hosts.mjs'
import { reportText } from './net/report.mjs'
import { linkText, quickened, ROWS } from './net/rows.mjs'
import { versions } from './net/versions.mjs'
import { between } from './table.mjs'
import { sizeText } from './units.mjs'

const HELP = `Usage: npm run bench:net -- [options]      (root)

  --rows ID,ID...       rows to run (default: all): ${ROWS.map(({ id }) => id).join(', ')}
  --only NAME,NAME...   contestants to run, as the JSON names them (default: all of each row)
  --runs N              runs of each contestant (default 5); the median is told
  --seconds N           a run of Godwit that has not ended by then is cut short (default 120)
  --peer-seconds N      a run of anybody else (default 40)
  --quick               small files and short times: whether it works, not how well
  --seed N              of the emulated links' chance (default 1)
  --memory-dir FOLDER   for files in memory (default: the system's)
  --disk-dir FOLDER     for files on the disk (default: below .godwit in the checkout)
  --peers-dir FOLDER    where udx-native is installed (default: .godwit/bench in the checkout):
                        npm install --prefix .godwit/bench udx-native@1.21.3
  --from FILE           rows that an earlier run of the same commit has put into FILE with --json, and that are not run
                        now, are told too
  --json FILE           everything that was measured
  --write               the tables into docs/performance.md`

const DOCUMENT = join(ROOT, 'docs', 'performance.md')
const MARKER = 'bench:net'

await runAndCleanUp(async (cleanUp) => {
  const values = parseArguments()
  if (values.help) {
    console.log(HELP)
    return 0
  }
  const [runs, seconds] = [values.runs, values.seconds].map(wholeNumber)
  const [peerSeconds, seed] = [values['peer-seconds'], values.seed].map(wholeNumber)
  const ids = listOf(values.rows)
  const unknown = ids.find((id) => !ROWS.some((row) => row.id === id))
  if (unknown !== undefined) throw new UsageError(`there is no row ${unknown}\n\n${HELP}`)
  const missing = hostsMissing()
  if (missing !== undefined) throw new UsageError(`bench:net: ${missing}`)
  if (!(await setUp(ROOT, { needsRedis: true, checksTypes: false }))) return EXIT_SET_UP

  // What is imported here needs the build.
  const { sendFlags } = await import('./godwitNode.mjs')
  const { isInMemory, memoryFolder } = await import('./scratch.mjs')
  const { contestants } = await import('./net/contestants/all.mjs')
  const { runGoodput } = await import('./net/runGoodput.mjs')
  const { runMemory } = await import('./net/runMemory.mjs')
  const { runShare } = await import('./net/runShare.mjs')

  const cacheDir = cacheDirOf(ROOT)
  const places = {
    memory: values['memory-dir'] === undefined ? memoryFolder() : resolve(values['memory-dir']),
    disk: values['disk-dir'] === undefined ? cacheDir : resolve(values['disk-dir']),
    peers: resolve(values['peers-dir'] ?? join(cacheDir, 'bench')),
  }
  if (!isInMemory(places.memory)) console.log(`${places.memory} is not in memory: its disk will decide`)
  const knows = await sendFlags(cleanUp)
  const options = {
    ...{ runs, seconds, peerSeconds, seed, places, knows },
    contestants: contestants(knows),
    only: listOf(values.only),
    say: (/** @type {string} */ text) => console.log(text),
  }
  const here = machine()
  const earlier = values.from === undefined ? undefined : JSON.parse(readFileSync(values.from, 'utf8'))
  /** @type {import('./net/report.mjs').Report} */
  let report = {
    machine: here,
    command: ['npm run bench:net', ...commandWords()].join(' -- '),
    runs,
    isQuick: values.quick,
    versions: versions(places.peers),
    leftOut: [],
    results: [],
  }
  // Before anything is run: an earlier run may not fit.
  if (earlier !== undefined) joined(report, earlier)
  console.log(machineText(here))
  const save = (/** @type {object} */ value) => {
    if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(value, null, 2)}\n`)
  }
  const withoutLinks = linksimMissing()
  for (const named of ROWS.filter(({ id }) => ids.length === 0 || ids.includes(id))) {
    const row = values.quick ? quickened(named) : named
    const size = row.kind === 'share' ? `${row.seconds} s` : sizeText(row.bytes)
    console.log(`\n${row.id}: ${linkText(row.link)}, ${size}`)
    if (row.link.kind === 'emulated' && withoutLinks !== undefined) {
      console.log(`  left out: ${withoutLinks}`)
      report.leftOut.push(`${row.id} (${withoutLinks})`)
      continue
    }
    if (row.kind === 'goodput') report.results.push(await runGoodput(cleanUp, row, options))
    else if (row.kind === 'share') report.results.push(await runShare(cleanUp, row, options))
    else report.results.push(await runMemory(cleanUp, row, options))
    save(report)
  }
  if (earlier !== undefined) {
    report = joined(report, earlier)
    save(report)
  }
  const text = reportText(report)
  console.log(`\n${text}`)
  if (values.write) writeFileSync(DOCUMENT, between(readFileSync(DOCUMENT, 'utf8'), MARKER, text))
  return 0
})

/** What the command was called with, but for where its output went and where the earlier one was. */
function commandWords() {
  const isPlace = (/** @type {string | undefined} */ word) => word === '--json' || word === '--from'
  const words = process.argv.slice(2)
  const told = words.filter((word, index) => word !== '--write' && !isPlace(word) && !isPlace(words[index - 1]))
  return told.length === 0 ? [] : [told.join(' ')]
}

/** @param {string | undefined} text */
function listOf(text) {
  return text === undefined || text === '' ? [] : text.split(',')
}

/** @param {string} text */
function wholeNumber(text) {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new UsageError(`${text} is not a whole number from 1`)
  return value
}

function parseArguments() {
  try {
    return parseArgs({
      options: {
        rows: { type: 'string' },
        only: { type: 'string' },
        runs: { type: 'string', default: '5' },
        seconds: { type: 'string', default: '120' },
        'peer-seconds': { type: 'string', default: '40' },
        seed: { type: 'string', default: '1' },
        quick: { type: 'boolean', default: false },
        'memory-dir': { type: 'string' },
        'disk-dir': { type: 'string' },
        'peers-dir': { type: 'string' },
        from: { type: 'string' },
        json: { type: 'string' },
        write: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values
  } catch (error) {
    throw new UsageError(`${error.message}\n\n${HELP}`)
  }
}
