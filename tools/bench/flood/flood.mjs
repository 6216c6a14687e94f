/**
 * `npm run bench:flood`: how much of its goodput a transfer keeps while somebody who knows its addresses and its connection
 * ids, and not its keys, throws forged packets at its port. Real sockets on the loopback, production lanes, sessions, disks;
 * runs with and without the flood take turns, and what is told is their ratio.
 */
import { fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { EXIT_SET_UP, setUp } from '../../setUp/setUp.mjs'
import { runAndCleanUp, UsageError } from '../cleanUp.mjs'
import { machine, machineText, ROOT } from '../machine.mjs'
import { usageOf } from '../processUsage.mjs'
import { median } from '../statistics.mjs'
import { bytesOf, megabytesText, sizeText } from '../units.mjs'

const HELP = `Usage: npm run bench:flood -- [options]

  --rate N     forged packets a second (default 50000)
  --to WHOM    receiver, sender or both (default receiver)
  --size SIZE  of the file (default 512MiB)
  --runs N     pairs of runs, without and with the flood (default 3)
  --json       one JSON object a line`

const IP = '127.0.0.1'
const KEY = 'flood'
const SECRET_BYTES = 64
const RUN_MAX_MS = 300_000

await runAndCleanUp(async (cleanUp) => {
  const { values } = parseArguments()
  if (values.help) {
    console.log(HELP)
    return 0
  }
  const rate = Number(values.rate)
  const runs = Number(values.runs)
  if (!(rate > 0) || !Number.isInteger(runs) || runs < 1) throw new UsageError(HELP)
  if (!(await setUp(ROOT, { needsRedis: false, checksTypes: false }))) return EXIT_SET_UP
  const { memoryFolder, scratchFolder } = await import('../scratch.mjs')
  const { randomPayload } = await import('../payload.mjs')
  const bytes = bytesOf(values.size)
  const folder = await scratchFolder(cleanUp, memoryFolder(), 3 * bytes)
  const payload = randomPayload(join(folder, 'payload'), bytes)
  const tell = values.json ? () => {} : (/** @type {string} */ text) => console.log(text)
  tell(machineText(machine()))
  /** @type {{ quiet: number[], flooded: number[], packets: number[], quietCpu: number[], floodedCpu: number[] }} */
  const rates = { quiet: [], flooded: [], packets: [], quietCpu: [], floodedCpu: [] }
  for (let run = 0; run < runs; run++) {
    const quiet = await transfer(cleanUp, payload.path, join(folder, `quiet${run}`), undefined)
    const flooded = await transfer(cleanUp, payload.path, join(folder, `flooded${run}`), { rate, to: values.to })
    rates.quiet.push(bytes / quiet.seconds)
    rates.flooded.push(bytes / flooded.seconds)
    rates.packets.push(flooded.packetsPerSecond)
    rates.quietCpu.push(quiet.cpuSeconds)
    rates.floodedCpu.push(flooded.cpuSeconds)
    const line = {
      type: 'flood.run',
      quiet: bytes / quiet.seconds,
      flooded: bytes / flooded.seconds,
      forged: flooded.packetsPerSecond,
    }
    if (values.json) console.log(JSON.stringify(line))
    tell(
      `  ${megabytesText(line.quiet)} MB/s, flooded ${megabytesText(line.flooded)} MB/s, ${Math.round(line.forged)} forged packets/s`,
    )
  }
  const ratio = median(rates.flooded) / median(rates.quiet)
  const cpu = { quiet: median(rates.quietCpu), flooded: median(rates.floodedCpu) }
  if (values.json)
    console.log(JSON.stringify({ type: 'flood', bytes, runs, ratio, forged: median(rates.packets), receiverCpu: cpu }))
  tell(
    `${sizeText(bytes)}, ${Math.round(median(rates.packets))} forged packets/s to the ${values.to}: ${Math.round(100 * ratio)} % of the goodput is left; the receiver takes ${cpu.quiet.toFixed(2)} s of CPU, flooded ${cpu.flooded.toFixed(2)} s`,
  )
  return 0
})

function parseArguments() {
  try {
    return parseArgs({
      options: {
        rate: { type: 'string', default: '50000' },
        to: { type: 'string', default: 'receiver' },
        size: { type: 'string', default: '512MiB' },
        runs: { type: 'string', default: '3' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
  } catch (error) {
    throw new UsageError(`${error.message}\n\n${HELP}`)
  }
}

/**
 * One transfer between two processes, from acceptance to the files under their names.
 *
 * @param {import('../cleanUp.mjs').CleanUp} cleanUp @param {string} path @param {string} output
 * @param {{ rate: number, to: string } | undefined} flood
 * @returns {Promise<{ seconds: number, cpuSeconds: number, packetsPerSecond: number }>}
 */
async function transfer(cleanUp, path, output, flood) {
  const { scanSources } = await import('../../../apps/node/dist/files/scan.js')
  const { ownPacketCiphers } = await import('../../../apps/node/dist/crypto/packetCiphers.js')
  const scanned = await scanSources([path])
  if (!scanned.ok) throw new UsageError(scanned.failure.code)
  mkdirSync(output, { recursive: true })
  const { manifestBytes, sources } = scanned.value
  const [sender, receiver] = [startPeer(cleanUp, 'lanePeer.mjs'), startPeer(cleanUp, 'lanePeer.mjs')]
  const ports = await Promise.all([sender, receiver].map((peer) => open(peer)))
  const ids = { sender: randomBytes(8), receiver: randomBytes(8) }
  const secrets = { receiverToSender: randomBytes(SECRET_BYTES), senderToReceiver: randomBytes(SECRET_BYTES) }
  const session = (/** @type {number} */ port) => ({
    lane: 0,
    connectionIds: ids,
    packetCipher: ownPacketCiphers()[0],
    trafficSecrets: secrets,
    candidates: [{ kind: 'host', ip: IP, port }],
    limit: null,
  })
  const flooder = flood === undefined ? undefined : startPeer(cleanUp, 'flooder.mjs')
  let packetsPerSecond = 0
  flooder?.child.on('message', (/** @type {{ type: string, packets: number, seconds: number }} */ message) => {
    if (message.type === 'unable')
      throw new UsageError('this machine cannot send trains: the flood would cost too much')
    packetsPerSecond = message.packets / message.seconds
  })
  if (flood !== undefined) {
    const targets = [
      ...(flood.to === 'sender' ? [] : [{ port: ports[1], connectionId: ids.receiver }]),
      ...(flood.to === 'receiver' ? [] : [{ port: ports[0], connectionId: ids.sender }]),
    ]
    flooder?.child.send({ ip: IP, targets, rate: flood.rate })
    // It has come to its rate before anything is measured.
    await new Promise((resolve) => setTimeout(resolve, 1500))
  }
  const measured = await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new UsageError('a run did not come to its end in time')), RUN_MAX_MS)
    let startedAt = 0
    let cpuBefore = 0
    receiver.child.on('message', (/** @type {unknown} */ message) => {
      const report = /** @type {{ type: string, report?: { type: string, ranges?: unknown } }} */ (message)
      if (report.type === 'begun') {
        startedAt = performance.now()
        cpuBefore = usageOf(receiver.child.pid).cpuSeconds
      }
      if (report.type === 'ended') reject(new UsageError('the session ended early'))
      if (report.type !== 'receiver') return
      const inner = report.report
      if (inner?.type === 'offered') {
        receiver.command({
          type: 'begin',
          begin: { transferId: 'flood', outputDir: output, manifest: manifestBytes, claimed: [] },
        })
      } else if (inner?.type === 'checkpoint') receiver.command({ type: 'confirmDurable', ranges: inner.ranges })
      else if (inner?.type === 'finalized') {
        clearTimeout(timer)
        resolve({
          seconds: (performance.now() - startedAt) / 1000,
          cpuSeconds: usageOf(receiver.child.pid).cpuSeconds - cpuBefore,
        })
      }
    })
    receiver.command({ type: 'start', session: session(ports[0]), transfer: { role: 'receiver' } })
    const fileHashes = new Uint8Array(32 * sources.length)
    const sending = { role: 'sender', manifest: manifestBytes, sources, fileHashes, lanes: 1 }
    sender.command({ type: 'start', session: session(ports[1]), transfer: sending })
  })
  await Promise.all([sender.end(), receiver.end(), flooder?.end()])
  return { ...measured, packetsPerSecond }
}

/** @param {import('../cleanUp.mjs').CleanUp} cleanUp @param {string} script */
function startPeer(cleanUp, script) {
  const child = fork(new URL(script, import.meta.url), { serialization: 'advanced' })
  const gone = new Promise((resolve) => child.once('exit', resolve))
  const end = async () => {
    child.kill('SIGKILL')
    await gone
  }
  cleanUp.add(end)
  return { child, end, command: (/** @type {object} */ command) => child.send({ ...command, key: KEY }) }
}

/** @param {ReturnType<typeof startPeer>} peer @returns {Promise<number>} its port. */
function open(peer) {
  return new Promise((resolve) => {
    peer.child.once('message', (/** @type {{ port: number }} */ report) => resolve(report.port))
    peer.command({ type: 'open', host: IP })
  })
}
