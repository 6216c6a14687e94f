/** The results of `npm run bench:net` in Markdown: what docs/performance.md holds between its markers. */
import { machineText } from '../machine.mjs'
import { spread } from '../statistics.mjs'
import { markdownTable } from '../table.mjs'
import { MIB, megabytesText, significant, sizeText } from '../units.mjs'
import { linkText } from './rows.mjs'

/**
 * @typedef {import('./runGoodput.mjs').GoodputResult} GoodputResult
 * @typedef {import('./runGoodput.mjs').Entry} Entry
 * @typedef {import('./runGoodput.mjs').Run} Run
 * @typedef {import('./runShare.mjs').ShareResult} ShareResult
 * @typedef {import('./runMemory.mjs').MemoryResult} MemoryResult
 * @typedef {GoodputResult | ShareResult | MemoryResult} RowResult
 * @typedef {{ machine: import('../machine.mjs').Machine, command: string, runs: number, isQuick: boolean, versions: string[], leftOut: string[],
 *   results: RowResult[] }} Report - `leftOut`: rows that could not be run, with the reason.
 */

/** @param {Report} report */
export function reportText({ machine, command, runs, isQuick, versions, leftOut, results }) {
  const goodput = results.filter((result) => result.kind === 'goodput')
  const parts = [
    `Measured with \`${command}\` on ${machineText(machine)}. Median of ${runs} (least to most). Beside: ${versions.join(', ') || 'nobody'}.`,
    ...(isQuick ? ['**A quick look with small files: these figures say whether it works, not how well.**'] : []),
    ...(leftOut.length === 0 ? [] : [`Rows left out: ${leftOut.join('; ')}.`]),
    ...goodput.map(goodputText),
    ...costText(goodput),
    ...sharesText(results.filter((result) => result.kind === 'share')),
    ...results.filter((result) => result.kind === 'memory').map(memoryText),
  ]
  return parts.join('\n\n')
}

/**
 * The medians that goals are judged by. But for the rate they are of complete runs: one that was cut short has not shown
 * what it takes.
 *
 * @param {readonly Entry[]} entries @returns {import('./rows.mjs').Medians}
 */
export const mediansOf = (entries) =>
  Object.fromEntries(
    entries.map(({ name, runs }) => {
      const whole = runs.filter(({ isCut }) => !isCut)
      const of = (/** @type {(run: Run) => number | undefined} */ value) => spread(whole.map(value))?.median
      const figures = {
        bytesPerSecond: spread(runs.map(({ bytes, seconds }) => bytes / seconds))?.median,
        seconds: of(({ seconds }) => seconds),
        cpuSendSeconds: of(({ godwit }) => godwit?.send.cpuSeconds),
        cpuReceiveSeconds: of(({ godwit }) => godwit?.receive.cpuSeconds),
        sentRatio: of(ratioOf),
        queueMs: of(({ queue }) => queue?.medianMs),
      }
      return [name, Object.fromEntries(Object.entries(figures).filter(([, value]) => value !== undefined))]
    }),
  )

/** @param {Run} run */
const ratioOf = ({ sent, isCut }) =>
  sent === undefined || isCut || sent.least === 0 ? undefined : sent.bytes / sent.least

/** @param {boolean | undefined} isReached */
const verdict = (isReached) => (isReached === undefined ? 'not measured' : isReached ? 'reached' : 'not reached')

/** @param {GoodputResult} result */
function goodputText({ row, entries, absent }) {
  const isEmulated = row.link.kind === 'emulated'
  const { rttMs } = row.link.kind === 'emulated' ? row.link : { rttMs: 0 }
  // A small file's rate says little: how often the light goes there and back says more.
  const isSmall = isEmulated && row.bytes <= 1e6
  const head = ['', 'file', isSmall ? 'round trips' : 'MB/s', ...(isEmulated ? ['sent ÷ least', 'queue, ms'] : [])]
  const rows = entries.map((entry) => [
    entry.label,
    entry.name.startsWith('iperf') ? '' : sizeText(entry.fileBytes),
    isSmall ? tripsText(entry, rttMs) : rateText(entry),
    ...(isEmulated ? [ratioText(entry), queueText(entry)] : []),
  ])
  const medians = mediansOf(entries)
  const goals = row.goals.map(({ text, isReached }) => `${text}: ${verdict(isReached(medians))}`)
  const where = row.storage === 'disk' ? ', on the disk' : ''
  return [
    `### \`${row.id}\`: ${linkText(row.link)}${where}\n`,
    markdownTable(head, rows),
    ...(entries.some(({ runs }) => runs.some(({ isCut }) => isCut))
      ? ['\n† cut short: what had arrived by then, over that time.']
      : []),
    ...entries.flatMap(({ label, failures }) =>
      failures.slice(0, 1).map((why) => `\n${label} failed: ${firstLine(why)}.`),
    ),
    ...(absent.length === 0 ? [] : [`\nLeft out: ${absent.map(({ label, why }) => `${label} (${why})`).join('; ')}.`]),
    ...(goals.length === 0 ? [] : [`\nWanted: ${goals.join('; ')}.`]),
  ].join('\n')
}

/** @param {string} text */
const firstLine = (text) => text.split('\n')[0].replace(/\.$/, '').slice(0, 200)

/** @param {Entry} entry */
function rateText({ runs }) {
  const rates = spread(runs.map(({ bytes, seconds }) => bytes / seconds))
  if (rates === undefined) return 'no run'
  const mark = runs.some(({ isCut }) => isCut) ? '†' : ''
  return `${megabytesText(rates.median)}${mark} (${megabytesText(rates.least)} to ${megabytesText(rates.most)})`
}

/** @param {Entry} entry @param {number} rttMs */
function tripsText({ runs }, rttMs) {
  const trips = spread(runs.filter(({ isCut }) => !isCut).map(({ seconds }) => (seconds * 1000) / rttMs))
  if (trips === undefined) return 'no run'
  return `${significant(trips.median)} (${significant(trips.least)} to ${significant(trips.most)})`
}

/** @param {Entry} entry */
function ratioText({ name, runs }) {
  const ratios = name.startsWith('iperf') ? undefined : spread(runs.map(ratioOf))
  return ratios === undefined ? '' : ratios.median.toFixed(3)
}

/** @param {Entry} entry */
function queueText({ runs }) {
  const medians = spread(runs.map(({ queue }) => queue?.medianMs))
  const tails = spread(runs.map(({ queue }) => queue?.p95Ms))
  return medians === undefined || tails === undefined
    ? ''
    : `${significant(medians.median)} (95 %: ${significant(tails.median)})`
}

/** @param {readonly GoodputResult[]} results @returns {string[]} */
function costText(results) {
  const rows = results.flatMap(({ row, entries }) =>
    entries
      .filter(({ name, runs }) => name.startsWith('godwit') && runs.some(({ isCut }) => !isCut))
      .map(({ label, fileBytes, runs }) => {
        const whole = runs.flatMap(({ godwit, isCut }) => (godwit === undefined || isCut ? [] : [godwit]))
        const of = (/** @type {(run: typeof whole[number]) => number} */ value) => spread(whole.map(value))?.median ?? 0
        const most = (/** @type {(run: typeof whole[number]) => number} */ value) => spread(whole.map(value))?.most ?? 0
        return [
          `${row.id}: ${label}`,
          sizeText(fileBytes),
          significant(of(({ send }) => send.cpuSeconds)),
          significant(of(({ receive }) => receive.cpuSeconds)),
          significant(of(({ send, receive }) => send.redisCpuSeconds + receive.redisCpuSeconds)),
          String(Math.round(most(({ send }) => send.peakRssBytes) / MIB)),
          String(Math.round(most(({ receive }) => receive.peakRssBytes) / MIB)),
          `${significant((100 * of(({ retransmittedBytes }) => retransmittedBytes)) / fileBytes)} %`,
          sessionText(whole.at(-1)?.session ?? null),
        ]
      }),
  )
  if (rows.length === 0) return []
  const head = ['row', 'file', 'CPU s, sender', 'CPU s, receiver', 'CPU s, both Redis', 'MiB, sender', 'MiB, receiver']
  return [`### What Godwit used\n\n${markdownTable([...head, 'sent again', 'datagrams'], rows)}`]
}

/** @param {import('../godwitTransfer.mjs').TransferResult['session']} session */
function sessionText(session) {
  if (session === null) return ''
  const { mtu, trains, lanes } = session
  return `${mtu.toLocaleString('en-US')} B${trains ? ' in trains' : ''}${lanes > 1 ? `, ${lanes} lanes` : ''}`
}

/** @param {readonly ShareResult[]} results @returns {string[]} */
function sharesText(results) {
  if (results.length === 0) return []
  const rows = results.map(({ row, runs, failures, absent }) => {
    const shares = spread(runs.map(({ sharePercent }) => sharePercent))
    const figure =
      absent ??
      (shares === undefined
        ? `failed: ${firstLine(failures[0] ?? 'no run')}`
        : `${shares.median.toFixed(0)} % (${shares.least.toFixed(0)} to ${shares.most.toFixed(0)})`)
    const used = spread(runs.map(({ utilisationPercent }) => utilisationPercent))
    const queue = spread(runs.map(({ queueMs }) => queueMs))
    const [least, most] = row.wanted
    const isReached = shares === undefined ? undefined : shares.median >= least && shares.median <= most
    return [
      row.title,
      linkText(row.link),
      figure,
      used === undefined ? '' : `${used.median.toFixed(0)} %`,
      queue === undefined ? '' : significant(queue.median),
      `${least} to ${most} %: ${verdict(isReached)}`,
    ]
  })
  return [`### Sharing a link\n\n${markdownTable(['', 'link', 'share', 'link used', 'queue, ms', 'wanted'], rows)}`]
}

/** @param {MemoryResult} result */
function memoryText({ row, run, failure, absent }) {
  const head = `### ${sizeText(row.bytes)} to a disk that writes ${megabytesText(row.diskBytesPerSecond)} MB/s\n\n`
  if (run === undefined)
    return `${head}${absent === undefined ? `Failed: ${firstLine(failure ?? '')}.` : `Left out: ${absent}.`}`
  const mib = (/** @type {number} */ bytes) => Math.round(bytes / MIB)
  const isReached = Math.max(run.send.peakRssBytes, run.receive.peakRssBytes) <= row.wantedRssBytes
  const cut = run.isCut ? `, cut short after ${sizeText(run.bytes)}` : ''
  return [
    head,
    `Memory of the sender's node at most ${mib(run.send.peakRssBytes)} MiB, of the receiver's ${mib(run.receive.peakRssBytes)} MiB`,
    ` (wanted: ${mib(row.wantedRssBytes)} MiB: ${verdict(isReached)}), at ${megabytesText(run.bytes / run.seconds)} MB/s${cut}. One run.`,
  ].join('')
}
