/** One transfer between two nodes, measured: goodput, processor, memory, what was sent again, and whether it is the same file. */
import { mkdirSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { blake3OfFile } from './payload.mjs'

const SENDER_END_MS = 15_000

/**
 * @typedef {import('./godwitNode.mjs').GodwitNode} GodwitNode
 * @typedef {{ cpuSeconds: number, redisCpuSeconds: number, peakRssBytes: number }} SideUsage
 * @typedef {object} TransferResult
 * @property {number} bytes - that arrived.
 * @property {number} seconds - from acceptance to the verified file under its name, as the receiver tells; of a transfer
 * that was cut short, since the data began.
 * @property {boolean} isCut - it was ended at `capSeconds`; nothing was compared then.
 * @property {SideUsage} send
 * @property {SideUsage} receive
 * @property {number} retransmittedBytes
 * @property {number} lostPackets - that the sender took for lost.
 * @property {number} corruptedPackets
 * @property {{ mtu: number, trains: boolean, lanes: number } | null} session - how the sender sent in the end.
 * @property {number[]} rttUs - the sender's smoothed round trip, window by window.
 */

/**
 * Sends a file from one node to the other. Throws when it fails or when what arrived differs.
 *
 * @param {GodwitNode} sender @param {GodwitNode} receiver
 * @param {{ payload: import('./payload.mjs').Payload, output: string, flags?: readonly string[], capSeconds: number,
 *   onAccepted?: () => void }} options - `output` is a folder that this call makes and removes; `onAccepted` is called
 *   when the data may begin.
 * @returns {Promise<TransferResult>}
 */
export async function measureTransfer(sender, receiver, { payload, output, flags = [], capSeconds, onAccepted }) {
  mkdirSync(output, { recursive: true })
  const { id, code } = await sender.send(payload.path, flags)
  for (const node of [sender, receiver]) node.resetPeak()
  const before = [sender.usage(), receiver.usage()]
  const arrival = await receive(receiver, { code, output, capSeconds, onAccepted })
  if (arrival.isCut) await cancel(sender, receiver, { id, receiverId: arrival.receiverId })
  else await sender.reaches(id, ['completed'], SENDER_END_MS)
  const after = [sender.usage(), receiver.usage()]
  const view = await sender.show(id)
  const rttUs = await roundTrips(sender, id)
  if (!arrival.isCut) compare(payload, output, arrival.blake3)
  rmSync(output, { recursive: true, force: true })
  const used = (/** @type {0 | 1} */ side) => ({
    cpuSeconds: after[side].nodeCpuSeconds - before[side].nodeCpuSeconds,
    redisCpuSeconds: after[side].redisCpuSeconds - before[side].redisCpuSeconds,
    peakRssBytes: after[side].peakRssBytes,
  })
  return {
    bytes: arrival.bytes,
    seconds: arrival.seconds,
    isCut: arrival.isCut,
    send: used(0),
    receive: used(1),
    retransmittedBytes: view?.retransmittedBytes ?? 0,
    lostPackets: view?.lostPackets ?? 0,
    corruptedPackets: view?.corruptedPackets ?? 0,
    session: view?.session ?? null,
    rttUs,
  }
}

/**
 * @param {GodwitNode} receiver
 * @param {{ code: string, output: string, capSeconds: number, onAccepted?: (() => void) | undefined }} options
 */
async function receive(receiver, { code, output, capSeconds, onAccepted }) {
  let receiverId = ''
  let beganAt = Number.NaN
  let bytesDone = 0
  /** @type {import('./godwitNode.mjs').JsonLine | undefined} */
  let last
  const command = receiver.command(['receive', '--code-stdin', '--output', output, '--yes', '--json'], {
    input: `${code}\n`,
    onJson: (line) => {
      if (line.type === 'transfer.enqueued') receiverId = line.transferId
      if (line.type === 'transfer.progress') {
        bytesDone = line.bytesDone
        if (Number.isNaN(beganAt) && line.state === 'transferring') {
          beganAt = performance.now()
          onAccepted?.()
        }
      }
      last = line
    },
  })
  /** @type {NodeJS.Timeout | undefined} */
  let timer
  const cap = new Promise((resolve) => {
    timer = setTimeout(() => resolve(undefined), capSeconds * 1000)
  })
  const result = await Promise.race([command.finished, cap])
  clearTimeout(timer)
  if (result === undefined) {
    const seconds = (performance.now() - beganAt) / 1000
    await command.stop()
    return {
      isCut: true,
      receiverId,
      bytes: bytesDone,
      seconds: Number.isNaN(seconds) ? capSeconds : seconds,
      blake3: '',
    }
  }
  if (last?.type === 'transfer.failed') throw new Error(`${last.code}: ${last.message}`)
  if (last?.type !== 'transfer.completed') {
    const { exitCode, stdout, stderr } = await command.finished
    throw new Error(`receive ended with ${exitCode}: ${stdout.slice(-1000)}${stderr}`)
  }
  return {
    isCut: false,
    receiverId,
    bytes: last.bytes,
    seconds: last.seconds,
    blake3: last.files[0]?.blake3 ?? '',
  }
}

/** The sender's smoothed round trip, window by window. @param {GodwitNode} sender @param {string} id */
async function roundTrips(sender, id) {
  const events = await sender.run('events', id, '--json')
  return events.filter(({ event }) => event === 'ChunksAcked').map(({ data }) => data.rttUs)
}

/** @param {GodwitNode} sender @param {GodwitNode} receiver @param {{ id: string, receiverId: string }} ids */
async function cancel(sender, receiver, { id, receiverId }) {
  await receiver.command(['cancel', receiverId, '--json']).finished
  await sender.command(['cancel', id, '--json']).finished
}

/**
 * Throws unless the file that arrived, and what the receiver says of it, are what was sent.
 *
 * @param {import('./payload.mjs').Payload} payload @param {string} output @param {string} told
 */
export function compare(payload, output, told = payload.blake3) {
  const arrived = blake3OfFile(join(output, basename(payload.path)))
  if (arrived !== payload.blake3 || told !== payload.blake3)
    throw new Error(`what arrived is not what was sent: ${arrived} (told ${told}) for ${payload.blake3}`)
}
