/**
 * `npm run bench`: what the parts cost, and how fast two nodes move files over this machine's loopback. Figures for who
 * works on the code; across a network see benchNet.mjs.
 */
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { EXIT_SET_UP, setUp } from '../setUp/setUp.mjs'
import { runAndCleanUp, UsageError } from './cleanUp.mjs'
import { machine, machineText, ROOT } from './machine.mjs'
import { spread } from './statistics.mjs'
import { bytesOf, MIB, megabytesText, significant, sizeText } from './units.mjs'

const HELP = `Usage: npm run bench -- [micro | loopback] [SIZE...] [options]

  micro             what packets, frames, sets, seals and hashes cost, ns an operation
  loopback          goodput between two nodes on the loopback, files of SIZE (default 256MiB 1GiB)
                    without either word: both

  --runs N          transfers of each size (default 5); the median is told
  --filter TEXT     only micro-benchmarks whose name contains TEXT
  --dir FOLDER      where files and nodes are (default: in memory, where the system has that)
  --send-flag FLAG  handed to godwit send, as in --send-flag=--lanes=1; may be repeated
  --cpu-prof FOLDER every thread of both nodes writes a CPU profile there:
                    node tools/bench/profileTop.mjs FOLDER/sender FOLDER/receiver
  --json            one JSON object a line`

const DEFAULT_SIZES = ['256MiB', '1GiB']
const DEFAULT_RUNS = '5'

await runAndCleanUp(async (cleanUp) => {
  const { values, positionals } = parseArguments()
  if (values.help) {
    console.log(HELP)
    return 0
  }
  const isPart = (/** @type {string} */ word) => word === 'micro' || word === 'loopback'
  const parts = positionals.filter(isPart)
  const sizes = positionals.filter((word) => !isPart(word)).map(bytesOf)
  const runs = Number(values.runs)
  if (!Number.isInteger(runs) || runs < 1) throw new UsageError('--runs takes a whole number from 1')
  if (!(await setUp(ROOT, { needsRedis: true, checksTypes: false }))) return EXIT_SET_UP
  const tell = values.json ? () => {} : (/** @type {string} */ text) => console.log(text)
  const print = values.json ? (/** @type {object} */ value) => console.log(JSON.stringify(value)) : () => {}
  const here = machine()
  print({ type: 'machine', ...here })
  tell(machineText(here))
  if (parts.length === 0 || parts.includes('micro')) {
    const { runMicro } = await import('./micro/micro.mjs')
    tell('\nmicro-benchmarks')
    runMicro(values.filter, (measurement) => {
      print({ type: 'micro', ...measurement })
      tell(microText(measurement))
    })
  }
  if (parts.length === 0 || parts.includes('loopback')) {
    const { runLoopback } = await import('./loopback.mjs')
    const { memoryFolder } = await import('./scratch.mjs')
    const parent = values.dir === undefined ? memoryFolder() : resolve(values.dir)
    tell(`\nloopback goodput, files in ${parent}`)
    const results = await runLoopback(cleanUp, {
      sizes: sizes.length > 0 ? sizes : DEFAULT_SIZES.map(bytesOf),
      runs,
      parent,
      flags: values['send-flag'],
      profileFolder: values['cpu-prof'] === undefined ? undefined : resolve(values['cpu-prof']),
      onRun: (bytes, run) => {
        print({ type: 'loopback.run', fileBytes: bytes, ...run })
        tell(`  ${sizeText(bytes)}: ${megabytesText(run.bytes / run.seconds)} MB/s`)
      },
    })
    for (const result of results) {
      const summary = summaryOf(result)
      print({ type: 'loopback', ...summary })
      tell(loopbackText(summary))
    }
  }
  return 0
})

function parseArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        runs: { type: 'string', default: DEFAULT_RUNS },
        filter: { type: 'string', default: '' },
        dir: { type: 'string' },
        'send-flag': { type: 'string', multiple: true, default: [] },
        'cpu-prof': { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
  } catch (error) {
    throw new UsageError(`${error.message}\n\n${HELP}`)
  }
}

/** @param {import('./micro/measure.mjs').Measurement} measurement */
function microText({ name, nanoseconds, unit, bytesPerSecond }) {
  const rate = bytesPerSecond === undefined ? '' : `  ${megabytesText(bytesPerSecond).padStart(5)} MB/s`
  return `  ${name.padEnd(56)} ${significant(nanoseconds).padStart(8)} ns/${unit}${rate}`
}

/** @param {import('./loopback.mjs').LoopbackResult} result */
function summaryOf({ bytes, runs }) {
  const whole = runs.filter(({ isCut }) => !isCut)
  const of = (/** @type {(run: typeof runs[number]) => number} */ value) => spread(whole.map(value))
  return {
    fileBytes: bytes,
    runs: runs.length,
    runsCut: runs.length - whole.length,
    bytesPerSecond: of((run) => run.bytes / run.seconds),
    sendCpuSeconds: of((run) => run.send.cpuSeconds),
    receiveCpuSeconds: of((run) => run.receive.cpuSeconds),
    redisCpuSeconds: of((run) => run.send.redisCpuSeconds + run.receive.redisCpuSeconds),
    peakRssBytes: of((run) => Math.max(run.send.peakRssBytes, run.receive.peakRssBytes)),
    retransmittedBytes: of((run) => run.retransmittedBytes),
    session: whole.at(-1)?.session ?? null,
  }
}

/** @param {import('./godwitTransfer.mjs').TransferResult['session']} session */
function sessionText(session) {
  if (session === null) return 'no session told'
  const { mtu, trains, lanes } = session
  return `datagrams of ${mtu} B${trains ? ' in trains' : ''}, ${lanes} ${lanes === 1 ? 'lane' : 'lanes'}`
}

/** @param {ReturnType<typeof summaryOf>} summary */
function loopbackText(summary) {
  const { fileBytes, runs, runsCut, bytesPerSecond: rate } = summary
  if (rate === undefined) return `  ${sizeText(fileBytes)}: no run of ${runs} was complete in time`
  const cut = runsCut === 0 ? '' : `, ${runsCut} of ${runs} cut short`
  return [
    `  ${sizeText(fileBytes)}: median ${megabytesText(rate.median)} MB/s`,
    ` (${megabytesText(rate.least)} to ${megabytesText(rate.most)}, ${runs} runs${cut})`,
    `, CPU ${significant(summary.sendCpuSeconds?.median ?? 0)} s to send`,
    ` and ${significant(summary.receiveCpuSeconds?.median ?? 0)} s to receive`,
    `, both Redis ${significant(summary.redisCpuSeconds?.median ?? 0)} s`,
    `, ${Math.round((summary.peakRssBytes?.most ?? 0) / MIB)} MiB at most`,
    `, ${sessionText(summary.session)}`,
  ].join('')
}
