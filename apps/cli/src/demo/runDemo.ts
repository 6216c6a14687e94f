/**
 * `godwit demo [PATH]`: a transfer between two nodes on this machine, whose receiving side is killed on the way.
 *
 * It plays only what a user could type, and reads only what `--json` prints: so it proves the command line as much as it
 * shows the resumption.
 */
import { basename, join, resolve } from 'node:path'
import {
  type CompletedLine,
  completedLineSchema,
  enqueuedLineSchema,
  transferViewSchema,
  watchLineSchema,
} from '@godwit/protocol/api'
import { EXIT, exitCodeOf } from '@godwit/protocol/errors'
import { CHUNK_SIZE_BYTES, LIMIT_MIN_BYTES_PER_SECOND } from '@godwit/protocol/limits'
import { formatBytes } from '@godwit/protocol/rate'
import { DemoFailure, failureOf } from './demoFailure.js'
import { type DemoNode, DemoWorld } from './demoWorld.js'
import { LogFollower } from './logFollower.js'
import { filesBelow, firstDifference, makeRandomFile } from './payload.js'
import { killNow, processesOf, waitUntil } from './processes.js'
import { type DemoReport, type DemoResult, jsonReport, type KilledAt, plainReport } from './report.js'

const MADE_BYTES = 256 * 1024 * 1024
const MADE_NAME = 'demo.bin'
/** Bytes a second of the file that is made: slow enough to be cut, quick enough to wait for. */
const MADE_LIMIT = 50_000_000
/** Seconds that a user's own path should take at least. */
const OWN_PATH_SECONDS = 5
/** Below this a transfer is over before anybody can cut it in the middle. */
const CUTTABLE_MIN_BYTES = 8 * CHUNK_SIZE_BYTES
/** Room for the logs and databases of three processes. */
const WORLD_BYTES = 128 * 1024 * 1024
const PAIRING_MS = 60_000
const NODE_BACK_MS = 60_000
const RESUME_MS = 120_000
const COMPLETION_BASE_MS = 180_000
const POLL_MS = 250

export interface DemoOptions {
  /** The user's own file or folder; 256 MiB of random bytes without it. */
  readonly path?: string | undefined
  readonly json: boolean
}

interface Payload {
  readonly path: string
  readonly bytes: number
  /** Bytes a second. */
  readonly limit: number
}

/** @returns the exit code. Failures and Ctrl-C are told, and everything is stopped and removed, before it resolves. */
export const runDemo = async ({ path, json }: DemoOptions): Promise<number> => {
  const report = json ? jsonReport() : plainReport()
  let world: DemoWorld | undefined
  let onSignal: (() => void) | undefined
  const interrupted = new Promise<'interrupted'>((resolveIt) => {
    onSignal = () => resolveIt('interrupted')
    process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  })
  const play = async (): Promise<'played'> => {
    const own = path === undefined ? undefined : await measure(resolve(path))
    world = await DemoWorld.create(WORLD_BYTES + (own === undefined ? 2 * MADE_BYTES : own.bytes))
    const result = await playStory(world, own, report)
    await world.dispose()
    report.completed(result)
    return 'played'
  }
  try {
    const playing = play()
    // After an interruption the story fails somewhere, because its processes are gone: that says nothing new.
    playing.catch(() => {})
    if ((await Promise.race([playing, interrupted])) === 'played') return EXIT.ok
    await world?.dispose()
    report.failed(new DemoFailure({ code: 'ERR_CANCELLED' }, 'It was interrupted; everything is stopped and removed.'))
    return EXIT.interrupted
  } catch (error) {
    await world?.dispose()
    if (!(error instanceof DemoFailure)) throw error
    report.failed(error)
    return exitCodeOf(error.failure.code)
  } finally {
    if (onSignal !== undefined) process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
  }
}

const measure = async (path: string): Promise<Payload> => {
  const files = await filesBelow(path).catch((error: NodeJS.ErrnoException) => {
    throw new DemoFailure({
      code: error.code === 'ENOENT' ? 'ERR_PATH_NOT_FOUND' : 'ERR_PATH_UNREADABLE',
      detail: path,
    })
  })
  const bytes = [...files.values()].reduce((sum, size) => sum + size, 0)
  return {
    path,
    bytes,
    limit: Math.max(LIMIT_MIN_BYTES_PER_SECOND, CHUNK_SIZE_BYTES, Math.ceil(bytes / OWN_PATH_SECONDS)),
  }
}

const makePayload = async (world: DemoWorld, report: DemoReport): Promise<Payload> => {
  const path = join(world.folder, MADE_NAME)
  await makeRandomFile(path, MADE_BYTES)
  report.step('made', { path, bytes: MADE_BYTES }, `Made ${formatBytes(MADE_BYTES)} of random bytes.`)
  return { path, bytes: MADE_BYTES, limit: MADE_LIMIT }
}

const playStory = async (world: DemoWorld, own: Payload | undefined, report: DemoReport): Promise<DemoResult> => {
  report.step('started', { folder: world.folder }, 'Godwit demo: a transfer whose receiving computer dies on the way.')
  const payload = own ?? (await makePayload(world, report))
  await world.begin()
  report.step(
    'running',
    { rendezvous: world.rendezvousUrl },
    'Started a rendezvous and two nodes, each with its own data directory and Redis.',
  )
  const killedAt: KilledAt = payload.bytes < CUTTABLE_MIN_BYTES ? 'awaitingAcceptance' : 'transferring'
  const { sendId, receiveId } = await enqueue(world, payload, killedAt === 'transferring', report)
  const progress = { bytesDone: 0 }
  world.start(world.sender, ['watch', sendId, '--json'], {
    onLine: (line) => {
      const watched = watchLineSchema.safeParse(line).data
      if (watched?.type !== 'transfer.progress') return
      progress.bytesDone = watched.bytesDone
      report.progress(watched.bytesDone, watched.bytesTotal)
    },
  })
  const log = new LogFollower(sendId, world.sender.environment)
  try {
    const cut = await cutOff(world, log, killedAt, () => progress.bytesDone, report)
    const resumedAfterSeconds =
      killedAt === 'transferring'
        ? await waitForResumption(log, cut.version, cut.at)
        : await acceptAgain(world.receiver, receiveId, cut.at)
    report.step(
      'resumed',
      { seconds: resumedAfterSeconds },
      `It goes on by itself, ${resumedAfterSeconds.toFixed(1)} s after the kill.`,
    )
    const completed = await waitForCompletion(world, log, sendId, receiveId, payload)
    await compare(world, payload, report)
    return {
      bytes: completed.bytes,
      seconds: completed.seconds,
      killedAt,
      bytesDoneWhenKilled: cut.bytesDone,
      backAfterSeconds: cut.backAfterSeconds,
      resumedAfterSeconds,
      sentAgainBytes: await sentAgain(world.sender, sendId),
      files: completed.files,
    }
  } finally {
    await log.stop()
  }
}

/** Enqueues both sides. The code goes over a pipe, never over the process list. */
const enqueue = async (world: DemoWorld, payload: Payload, isAcceptedAtOnce: boolean, report: DemoReport) => {
  const limit = `${payload.limit}B/s`
  const sent = await world.sender.run(['send', '--detach', '--json', '--limit', limit, '--', payload.path])
  const send = sent.lines.map((line) => enqueuedLineSchema.safeParse(line).data).find((line) => line !== undefined)
  if (sent.exitCode !== 0 || send?.code === undefined) throw failureOf(sent, 'ERR_PEER_TIMEOUT')
  const accept = isAcceptedAtOnce ? ['--yes'] : []
  const args = ['receive', '--code-stdin', '--output', world.outputDir, '--detach', '--json', ...accept]
  const received = await world.receiver.run(args, send.code)
  const receive = received.lines
    .map((line) => enqueuedLineSchema.safeParse(line).data)
    .find((line) => line !== undefined)
  if (received.exitCode !== 0 || receive === undefined) throw failureOf(received, 'ERR_PEER_TIMEOUT')
  report.step(
    'enqueued',
    { sendId: send.transferId, receiveId: receive.transferId, bytes: payload.bytes, limit: payload.limit },
    `Sending ${basename(payload.path)} (${formatBytes(payload.bytes)}, limited to ${formatBytes(payload.limit)}/s so that there is something to watch).`,
  )
  return { sendId: send.transferId, receiveId: receive.transferId }
}

interface Cut {
  /** Version of the sender's log at the kill. */
  readonly version: number
  readonly at: number
  readonly bytesDone: number
  readonly backAfterSeconds: number
}

/** Kills the receiving node and its Redis as soon as the sender's log shows the moment, and waits for the node to be back. */
const cutOff = async (
  world: DemoWorld,
  log: LogFollower,
  killedAt: KilledAt,
  bytesDone: () => number,
  report: DemoReport,
): Promise<Cut> => {
  const moment = killedAt === 'transferring' ? 'ChunksAcked' : 'Offered'
  const seen = await log.waitFor(0, PAIRING_MS, ({ event }) => event === moment || event === 'TransferFailed')
  if (seen === undefined) throw new DemoFailure({ code: 'ERR_PEER_TIMEOUT' })
  if (seen.event === 'TransferFailed') throw new DemoFailure({ code: 'ERR_SESSION_LOST' })
  const { node, redis } = processesOf(world.receiver.dataDir)
  if (node === undefined) throw new DemoFailure({ code: 'ERR_NODE_NOT_RUNNING', detail: world.receiver.dataDir })
  const version = log.version
  const at = performance.now()
  for (const pid of [node, ...redis]) killNow(pid)
  const done = Math.max(bytesDone(), ackedBytes(log))
  report.step(
    'killed',
    { at: killedAt, bytesDone: done, nodePid: node, redisPids: redis },
    `kill -9: the receiving node (${node}) and its Redis (${redis.join(', ')}) are gone, after ${formatBytes(done)}.`,
  )
  const isBack = await waitUntil(() => {
    const now = processesOf(world.receiver.dataDir).node
    return now === undefined || now === node ? undefined : now
  }, NODE_BACK_MS)
  if (isBack === undefined) throw new DemoFailure({ code: 'ERR_NODE_START', detail: world.receiver.dataDir })
  const backAfterSeconds = secondsSince(at)
  report.step(
    'back',
    { seconds: backAfterSeconds, nodePid: isBack },
    `The node is back after ${backAfterSeconds.toFixed(1)} s.`,
  )
  return { version, at, bytesDone: done, backAfterSeconds }
}

/** In milliseconds' precision: more would be noise. */
const secondsSince = (at: number): number => Math.round(performance.now() - at) / 1000

const ackedBytes = (log: LogFollower): number =>
  log.events
    .filter(({ event }) => event === 'ChunksAcked')
    .reduce((sum, { data }) => sum + (typeof data['bytes'] === 'number' ? data['bytes'] : 0), 0)

/** Chunks that are acknowledged over a new session. @returns seconds since `since`. */
const waitForResumption = async (log: LogFollower, version: number, since: number): Promise<number> => {
  const opened = await log.waitFor(version, RESUME_MS, ({ event }) => event === 'SessionOpened')
  if (opened === undefined) throw new DemoFailure({ code: 'ERR_SESSION_LOST' })
  const moved = await log.waitFor(
    opened.version,
    RESUME_MS,
    ({ event }) => event === 'ChunksAcked' || event === 'ReceiverCompleted' || event === 'TransferCompleted',
  )
  if (moved === undefined) throw new DemoFailure({ code: 'ERR_SESSION_LOST' })
  return secondsSince(since)
}

/** The offer has outlived the crash: it is accepted now. @returns seconds since `since`. */
const acceptAgain = async (receiver: DemoNode, receiveId: string, since: number): Promise<number> => {
  const deadline = performance.now() + RESUME_MS
  for (;;) {
    const accepted = await receiver.run(['accept', receiveId, '--json'])
    if (accepted.exitCode === 0) return secondsSince(since)
    if (performance.now() > deadline) throw failureOf(accepted, 'ERR_TRANSFER_STATE')
    await new Promise((resolveIt) => setTimeout(resolveIt, POLL_MS))
  }
}

const waitForCompletion = async (
  world: DemoWorld,
  log: LogFollower,
  sendId: string,
  receiveId: string,
  payload: Payload,
): Promise<CompletedLine> => {
  const timeoutMs = COMPLETION_BASE_MS + (payload.bytes / payload.limit) * 4000
  const end = await log.waitFor(
    0,
    timeoutMs,
    ({ event }) => event === 'TransferCompleted' || event === 'TransferFailed',
  )
  if (end?.event !== 'TransferCompleted') {
    throw failureOf(await world.sender.run(['watch', sendId, '--json']), 'ERR_SESSION_LOST')
  }
  const watched = await world.receiver.run(['watch', receiveId, '--json'])
  const completed = watched.lines
    .map((line) => completedLineSchema.safeParse(line).data)
    .find((line) => line !== undefined)
  if (completed === undefined) throw failureOf(watched, 'ERR_SESSION_LOST')
  return completed
}

const compare = async (world: DemoWorld, payload: Payload, report: DemoReport): Promise<void> => {
  const difference = await firstDifference(payload.path, join(world.outputDir, basename(payload.path)))
  if (difference !== undefined) {
    const what = difference === '' ? basename(payload.path) : difference
    throw new DemoFailure({ code: 'ERR_INTEGRITY' }, `What arrived is not what was sent: ${what} differs.`)
  }
  report.step('compared', { identical: true }, 'Compared both sides byte for byte: identical.')
}

const sentAgain = async (sender: DemoNode, sendId: string): Promise<number> => {
  const shown = await sender.run(['show', sendId, '--json'])
  const view = shown.lines.map((line) => transferViewSchema.safeParse(line).data).find((line) => line !== undefined)
  return view?.retransmittedBytes ?? 0
}
