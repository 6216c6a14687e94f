/** Transfers, offers and results for people: what `list`, `show` and the end of a transfer print. */
import type { CompletedLine, FailedLine, OfferedLine, PairedLine, TransferView } from '@godwit/protocol/api'
import { formatDuration } from '@godwit/protocol/duration'
import { formatBytes, formatRate } from '@godwit/protocol/rate'
import { printable } from './printable.js'
import { percentOf, stateText } from './progressText.js'

const NAMES_SHOWN = 3
const FILES_SHOWN = 20

const countText = (count: number, one: string): string => `${count} ${one}${count === 1 ? '' : 's'}`

const namesText = (view: TransferView): string => {
  if (view.names.length === 0) return '(not known yet)'
  const shown = view.names.slice(0, NAMES_SHOWN).map(printable).join(', ')
  return view.names.length > NAMES_SHOWN ? `${shown}, …` : shown
}

/** A table with the columns as wide as their longest cell, the last one free. */
const table = (rows: readonly (readonly string[])[]): string => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows
    .map((row) =>
      row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join('  '),
    )
    .join('\n')
}

export const transferList = (views: readonly TransferView[]): string => {
  if (views.length === 0) return 'No transfers. godwit send PATH makes one.'
  const rows = views.map((view) => [
    view.transferId,
    view.role === 'sender' ? 'send' : 'receive',
    view.reason === null || view.state !== 'paused' ? view.state : `${view.state} (${view.reason.code})`,
    `${percentOf(view.bytesDone, view.bytesTotal)} %`,
    formatBytes(view.bytesTotal),
    namesText(view),
  ])
  return table([['ID', 'WHAT', 'STATE', 'DONE', 'SIZE', 'NAMES'], ...rows])
}

/** When a transfer may run. */
export const scheduleText = ({ startAt, window, deadline }: TransferView['schedule']): string =>
  [
    startAt === null ? 'at once' : `from ${startAt} on`,
    ...(window === null ? [] : [`between ${window.replace('-', ' and ')} every day`]),
    ...(deadline === null ? [] : [`until ${deadline}`]),
  ].join(', ')

/** Everything about one transfer, a field a line. */
export const transferText = (view: TransferView): string => {
  const rows: [string, string][] = [
    ['transfer', view.transferId],
    ['role', view.role],
    ['state', view.reason === null ? stateText(view.state) : `${stateText(view.state)} (${view.reason.code})`],
  ]
  if (view.reason !== null) rows.push(['reason', printable(view.reason.message)])
  rows.push(['names', namesText(view)], ['files', `${view.filesDone} of ${view.fileCount}`], ...missingRows(view), [
    'bytes',
    `${formatBytes(view.bytesDone)} of ${formatBytes(view.bytesTotal)}`,
  ])
  if (view.rate > 0) rows.push(['rate', formatRate(view.rate)])
  if (view.etaSeconds !== null) rows.push(['left', formatDuration(view.etaSeconds)])
  rows.push(['limit', formatRate(view.limit)])
  if (view.profile !== null) rows.push(['profile', view.profile])
  if (view.role === 'sender') rows.push(['priority', String(view.priority)], ['runs', scheduleText(view.schedule)])
  if (view.output !== null) rows.push(['into', printable(view.output)])
  if (view.role === 'sender') rows.push(['receivers', `${view.receiversWanted} wanted, ${view.capacity} at once`])
  for (const receiver of view.receivers) {
    const place = receiver.place === null ? '' : `, place ${receiver.place} in line`
    const name = printable(receiver.name === '' ? receiver.id : receiver.name)
    rows.push(['receiver', `${name}: ${stateText(receiver.state)}, ${formatBytes(receiver.bytesDone)}${place}`])
  }
  if (view.rendezvous !== null) rows.push(['rendezvous', view.rendezvous])
  if (view.session !== null) {
    const { path, family, mtu, trains, lanes, rttUs, isOpen } = view.session
    const shape = `${path} ${family}, ${mtu} B datagrams${trains ? ' in trains' : ''}`
    const lane = lanes === 1 ? '' : `, ${lanes} lanes`
    rows.push([isOpen ? 'session' : 'last session', `${shape}${lane}, rtt ${(rttUs / 1000).toFixed(1)} ms`])
  }
  if (view.retransmittedBytes > 0) rows.push(['sent again', formatBytes(view.retransmittedBytes)])
  if (view.lostPackets > 0) rows.push(['lost packets', String(view.lostPackets)])
  if (view.corruptedPackets > 0) rows.push(['corrupted', `${view.corruptedPackets} packets`])
  if (view.seconds !== null) rows.push(['took', formatDuration(view.seconds)])
  rows.push(['created', view.createdAt], ['updated', view.updatedAt])
  return table(rows)
}

/** A row for each file that is missing and known by name, and one for the rest. */
const missingRows = ({ filesMissing = 0, missing = [] }: TransferView): [string, string][] => {
  const rows = missing.map(({ path, code }): [string, string] => ['missing', `${printable(path)} (${code})`])
  const more = filesMissing - missing.length
  return more > 0
    ? [...rows, ['missing', `${missing.length > 0 ? '… and ' : ''}${countText(more, 'more file')}`]]
    : rows
}

/** The whole offer, as far as the node lists it: who, what, how much, and the words to compare. */
export const offerText = (offer: OfferedLine): string => {
  const lines = [
    `${printable(offer.from)} offers ${countText(offer.fileCount, 'file')}, ${formatBytes(offer.totalBytes)}:`,
  ]
  for (const file of offer.files) lines.push(`  ${printable(file.path)}  ${formatBytes(file.size)}`)
  const more = offer.fileCount - offer.files.length
  if (more > 0) lines.push(`  … and ${countText(more, 'more file')}`)
  lines.push(`Verification words (the same on both sides): ${printable(offer.verification)}`)
  return lines.join('\n')
}

/** Who has come, and the words that their side shows. */
export const pairedText = ({ name, verification }: PairedLine): string =>
  `${printable(name)} has the code. Its verification words (the same on both sides): ${printable(verification)}`

/** What a finished transfer leaves: how much in how long, and the files. */
export const completedText = (line: CompletedLine, verb: 'Sent' | 'Received' | 'Completed'): string => {
  const rate = line.seconds > 0 && line.bytes > 0 ? `, ${formatRate(Math.round(line.bytes / line.seconds))}` : ''
  const head = `${verb} ${countText(line.files.length, 'file')}, ${formatBytes(line.bytes)}, in ${formatDuration(line.seconds)}${rate}.`
  return [head, ...pathLines(line.files)].join('\n')
}

/** The same where some files could not be delivered: what arrived, then what did not. */
export const partlyText = (line: FailedLine, verb: Parameters<typeof completedText>[1]): string => {
  const { bytes = 0, seconds = 0, files = [], missing = [] } = line
  const arrived = completedText({ type: 'transfer.completed', transferId: '', bytes, seconds, files }, verb)
  return [arrived, `Missing ${countText(missing.length, 'file')}:`, ...pathLines(missing)].join('\n')
}

const pathLines = (files: readonly { readonly path: string }[]): readonly string[] => {
  const more = files.length - FILES_SHOWN
  return [
    ...files.slice(0, FILES_SHOWN).map(({ path }) => `  ${printable(path)}`),
    ...(more > 0 ? [`  … and ${countText(more, 'more file')}`] : []),
  ]
}
