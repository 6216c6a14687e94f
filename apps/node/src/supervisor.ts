/**
 * The supervisor: a small process that starts the node of a data directory and starts it again when it dies.
 *
 * It holds no state but its lock and opens no socket. It ends when the node ends on purpose (exit 0: stopped or idle) or
 * cannot be set up (exit 78), and hands SIGTERM on. As a program it takes the data directory from GODWIT_DATA_DIR;
 * `--stop` ends the supervisor that runs there, and with it the node, and prints `stopped` or `none`.
 */
import { spawn } from 'node:child_process'
import { closeSync, openSync, realpathSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { ErrorCode } from '@godwit/protocol/errors'
import { ERRORS, EXIT } from '@godwit/protocol/errors'
import { dataDirFiles, dataDirFrom, ensureDataDir } from './lifecycle/dataDir.js'
import { isRunning } from './lifecycle/processIdentity.js'
import { acquireProcessLock, lockHolder } from './lifecycle/processLock.js'
import { openRotatingLog } from './lifecycle/rotatingLog.js'
import { clearStartError, hasStartError, writeStartError } from './lifecycle/startError.js'

/** Milliseconds before a node that died is started again the first time. */
const BACKOFF_MIN_MS = 200
/** Milliseconds that the doubling of the wait ends at. */
const BACKOFF_MAX_MS = 5000
/** Milliseconds of life after which a node counts as healthy and the wait begins anew. */
const HEALTHY_MS = 30_000
/** Milliseconds that a node has to end after SIGTERM: its checkpoint and its Redis. */
const STOP_GRACE_MS = 20_000

/** The environment variable by which a supervised node knows its supervisor's pid. */
export const SUPERVISOR_PID_VARIABLE = 'GODWIT_SUPERVISOR_PID'

/** The pid of the supervisor that started this process; null in the foreground, or when the variable is left over. */
export const supervisorPidFrom = (env: NodeJS.ProcessEnv): number | null => {
  const pid = Number(env[SUPERVISOR_PID_VARIABLE])
  return Number.isInteger(pid) && pid > 0 && pid === process.ppid ? pid : null
}

export interface SupervisorOptions {
  readonly dataDir: string
  /** The node's program; started with Node and the supervisor's own flags. */
  readonly nodeEntry: string
  readonly backoffMinMs?: number
  readonly backoffMaxMs?: number
  /** Monotonic milliseconds; asked when a node starts and when it ends. */
  readonly now?: () => number
}

interface NodeEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/**
 * Runs until the node ends on purpose. Takes the data directory's supervisor lock; when another one holds it, returns at
 * once, since that one does the work.
 *
 * @returns the exit code for the process: 0, or 78 when the node cannot be set up.
 */
export const runSupervisor = async (options: SupervisorOptions): Promise<number> => {
  const files = dataDirFiles(options.dataDir)
  const lock = acquireProcessLock(files.supervisorLock)
  if ('holder' in lock) return EXIT.ok
  const log = openRotatingLog(files.log)
  const say = (msg: string): void =>
    log.write(`${JSON.stringify({ time: new Date().toISOString(), pid: process.pid, msg: `supervisor: ${msg}` })}\n`)

  const now = options.now ?? (() => performance.now())
  const backoffMinMs = options.backoffMinMs ?? BACKOFF_MIN_MS
  let backoffMs = backoffMinMs
  let isStopping = false
  let wake: () => void = () => {}
  let child: ReturnType<typeof spawn> | undefined
  let killTimer: NodeJS.Timeout | undefined

  const stop = (): void => {
    isStopping = true
    wake()
    if (child === undefined) return
    const stopped = child
    stopped.kill('SIGTERM')
    killTimer ??= setTimeout(() => stopped.kill('SIGKILL'), STOP_GRACE_MS)
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  // The terminal that the first command ran in may close; that is no reason to end.
  const stay = (): void => {}
  process.on('SIGHUP', stay)

  const runNode = (): Promise<NodeEnd> =>
    new Promise((resolve) => {
      const logFd = openSync(files.log, 'a', 0o600)
      child = spawn(process.execPath, [...process.execArgv, options.nodeEntry], {
        env: { ...process.env, GODWIT_DATA_DIR: options.dataDir, [SUPERVISOR_PID_VARIABLE]: String(process.pid) },
        // What the node's logger does not catch (a crash of the engine itself) lands in the log too.
        stdio: ['ignore', logFd, logFd],
      })
      closeSync(logFd)
      child.once('error', (error) => {
        say(`the node could not be started: ${error.message}`)
        child = undefined
        resolve({ code: EXIT.bug, signal: null })
      })
      child.once('exit', (code, signal) => {
        child = undefined
        resolve({ code, signal })
      })
    })

  try {
    clearStartError(options.dataDir)
    for (;;) {
      const startedAt = now()
      const end = await runNode()
      if (isStopping || end.code === EXIT.ok) return EXIT.ok
      if (end.code === EXIT.setUp) {
        say('the node cannot be set up; giving up')
        if (!hasStartError(options.dataDir)) writeStartError(options.dataDir, { code: 'ERR_NODE_START' })
        return EXIT.setUp
      }
      if (now() - startedAt >= HEALTHY_MS) backoffMs = backoffMinMs
      say(`the node died (${end.signal ?? `exit ${end.code}`}); starting it again in ${backoffMs} ms`)
      const waitMs = backoffMs
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, waitMs)
        wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
      if (isStopping) return EXIT.ok
      backoffMs = Math.min(backoffMs * 2, options.backoffMaxMs ?? BACKOFF_MAX_MS)
    }
  } finally {
    clearTimeout(killTimer)
    process.off('SIGTERM', stop)
    process.off('SIGINT', stop)
    process.off('SIGHUP', stay)
    lock.release()
    log.close()
  }
}

/**
 * Ends the supervisor of a data directory, and by it the node. For a node that runs without answering.
 *
 * @returns whether there was one; waits until it is gone.
 */
export const stopSupervisor = async (dataDir: string): Promise<boolean> => {
  const files = dataDirFiles(dataDir)
  // A node without a supervisor (it was killed, or the node runs in the foreground) is ended itself.
  const holder = lockHolder(files.supervisorLock) ?? lockHolder(files.nodeLock)
  if (holder === undefined) return false
  process.kill(holder.pid, 'SIGTERM')
  const deadline = performance.now() + STOP_GRACE_MS + 5000
  while (isRunning(holder) && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 50))
  return true
}

const isErrorWithCode = (error: unknown): error is Error & { readonly code: unknown } =>
  error instanceof Error && 'code' in error

const runAsProgram = async (): Promise<number> => {
  process.title = 'godwit-supervisor'
  const dataDir = dataDirFrom(process.env)
  const ready = ensureDataDir(dataDir)
  if (!ready.ok) {
    const code: ErrorCode = ready.failure.code
    process.stderr.write(`${ERRORS[code].message}\n`)
    return EXIT.setUp
  }
  if (process.argv.includes('--stop')) {
    process.stdout.write((await stopSupervisor(dataDir)) ? 'stopped\n' : 'none\n')
    return EXIT.ok
  }
  try {
    return await runSupervisor({ dataDir, nodeEntry: fileURLToPath(new URL('./main.js', import.meta.url)) })
  } catch (error) {
    if (!isErrorWithCode(error)) throw error
    // The disk is full or the folder went away between the check and the lock.
    writeStartError(dataDir, { code: 'ERR_DATA_DIR', detail: `${dataDir} cannot be written (${String(error.code)})` })
    return EXIT.setUp
  }
}

/** The program may have been named by a symbolic link (a workspace in node_modules is one). */
const isProgram = process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)
if (isProgram) process.exitCode = await runAsProgram()
