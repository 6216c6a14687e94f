/**
 * The rendezvous process. Standard output carries one line of JSON when both ports are open,
 * `{"type":"rendezvous.ready","url","port","udpPort"}`, or `{"type":"rendezvous.failed","code","message"}`; the log goes
 * to standard error. SIGTERM and SIGINT end it cleanly.
 */
import { exitCodeOf, type Failure, messageOf } from '@godwit/protocol/errors'
import { readSettings, USAGE } from './commandLine.js'
import { createLogger } from './logger.js'
import { startRendezvous } from './process.js'

/** Milliseconds that a clean end may take. */
const STOP_TIMEOUT_MS = 10_000

const print = (line: object): void => {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

const exitWith = (failure: Failure): void => {
  print({ type: 'rendezvous.failed', code: failure.code, message: messageOf(failure) })
  process.stderr.write(`${messageOf(failure)}\n`)
  process.exitCode = exitCodeOf(failure.code)
}

const untilTold = (endsWithParent: boolean): Promise<string> =>
  new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => resolve(signal))
    if (!endsWithParent) return
    // The other end of the pipe is held by the parent alone: its death, however sudden, ends the stream.
    for (const event of ['end', 'close', 'error'] as const) process.stdin.on(event, () => resolve('parent gone'))
    process.stdin.resume()
  })

const main = async (): Promise<void> => {
  const args = process.argv.slice(2)
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(USAGE)
    return
  }
  const settings = readSettings(args, process.env)
  if (!settings.ok) {
    process.stderr.write(USAGE)
    exitWith(settings.failure)
    return
  }
  const logger = createLogger(process.env['GODWIT_LOG_LEVEL'] ?? 'info')
  // Whoever reads our output may be gone before us.
  process.stdout.on('error', () => undefined)
  const told = untilTold(settings.value.endsWithParent)
  const started = await startRendezvous(settings.value, logger)
  if (!started.ok) {
    exitWith(started.failure)
    process.stdin.destroy()
    return
  }
  const { address, stop } = started.value
  print({ type: 'rendezvous.ready', url: address.url, port: address.port, udpPort: address.udpPort })
  logger.info({ port: address.port, udpPort: address.udpPort }, 'ready')
  const reason = await told
  logger.info({ reason }, 'stopping')
  setTimeout(() => process.exit(1), STOP_TIMEOUT_MS).unref()
  await stop()
  process.stdin.destroy()
}

await main()
