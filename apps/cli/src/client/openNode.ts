/**
 * Finds the node of the data directory, and starts one where none runs.
 *
 * Any number of commands may do so at once: each starts a supervisor, the supervisors' lock lets one of them live, and
 * all commands wait for the node that it starts.
 */
import { spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { NodeStatus } from '@godwit/protocol/api'
import { ensureDataDir, logTail, readNodeFile, readStartError, readToken } from '../dataDir.js'
import { CliFailure } from '../failure.js'
import type { NodeClient } from './nodeClient.js'
import { createNodeClient, failureIn } from './nodeClient.js'

/** Milliseconds for a node to come up, its Redis included. */
const START_TIMEOUT_MS = 15_000
/** Milliseconds for the answer of a node that runs; a busy one is asked again. */
const STATUS_TIMEOUT_MS = 3000
const POLL_MS = 50
/** Milliseconds after a supervisor left (another one holds the lock) before one is started anew. */
const RESPAWN_MS = 500

export interface OpenNode {
  readonly client: NodeClient
  readonly status: NodeStatus
}

export interface OpenNodeOptions {
  readonly dataDir: string
  readonly env: NodeJS.ProcessEnv
  /** The supervisor's program. */
  readonly supervisor: string
  readonly signal?: AbortSignal
  readonly timeoutMs?: number
}

/** Whether a process has ended and only waits for its parent to look (proc(5)): for ever, where process 1 is no init. */
const isZombie = (pid: number): boolean => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z')
  } catch {
    return false
  }
}

/** Whether a process of this number runs. */
export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return !isZombie(pid)
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

type Found = OpenNode | { readonly failure: CliFailure | undefined }

/** The node that runs, or why it was not found. Starts nothing. */
export const findNode = async (dataDir: string): Promise<Found> => {
  const file = readNodeFile(dataDir)
  const token = readToken(dataDir)
  // The token goes to the process that wrote the file, not to whoever has its port now.
  if (file === undefined || token === undefined || !isAlive(file.pid)) return { failure: undefined }
  const client = createNodeClient(file.url, token)
  try {
    const status = await client.node.status.query(undefined, { signal: AbortSignal.timeout(STATUS_TIMEOUT_MS) })
    return { client, status }
  } catch (error) {
    return { failure: failureIn(error) }
  }
}

/** Starts a supervisor in a session of its own; its life no longer depends on this process. */
const startSupervisor = (options: OpenNodeOptions): { readonly hasEnded: () => boolean } => {
  const log = openSync(join(options.dataDir, 'node.log'), 'a', 0o600)
  let hasEnded = false
  try {
    const child = spawn(process.execPath, [options.supervisor], {
      cwd: options.dataDir,
      detached: true,
      env: { ...options.env, GODWIT_DATA_DIR: options.dataDir },
      stdio: ['ignore', log, log],
    })
    const end = (): void => {
      hasEnded = true
    }
    child.once('exit', end)
    child.once('error', end)
    child.unref()
  } finally {
    closeSync(log)
  }
  return { hasEnded: () => hasEnded }
}

/**
 * The node of the data directory, started where none answers.
 *
 * @throws CliFailure: why the node could not be set up, or ERR_NODE_START with the end of its log after 15 s.
 */
export const openNode = async (options: OpenNodeOptions): Promise<OpenNode> => {
  const { dataDir, signal } = options
  ensureDataDir(dataDir)
  const since = Date.now()
  const deadline = performance.now() + (options.timeoutMs ?? START_TIMEOUT_MS)
  let supervisor: ReturnType<typeof startSupervisor> | undefined
  let respawnAt = 0
  let lastFailure: CliFailure | undefined
  for (;;) {
    signal?.throwIfAborted()
    const found = await findNode(dataDir)
    if ('client' in found) return found
    lastFailure = found.failure ?? lastFailure
    const startError = readStartError(dataDir, since)
    // ERR_NODE_RUNNING means that another one is just coming up, or runs without answering: it may answer yet.
    if (startError !== undefined && startError.code !== 'ERR_NODE_RUNNING') {
      throw new CliFailure(startError.code, startError.message, logTail(dataDir))
    }
    if (performance.now() > deadline) {
      if (lastFailure !== undefined) throw lastFailure
      if (startError !== undefined) throw new CliFailure(startError.code, startError.message)
      throw CliFailure.of({ code: 'ERR_NODE_START' }, logTail(dataDir))
    }
    if (supervisor === undefined && performance.now() >= respawnAt) supervisor = startSupervisor(options)
    else if (supervisor?.hasEnded() === true) {
      supervisor = undefined
      respawnAt = performance.now() + RESPAWN_MS
    }
    await sleep(POLL_MS)
  }
}
