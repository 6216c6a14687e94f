/** The processes of one data directory, found by the files that they keep there. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { nodeFileSchema } from '@godwit/protocol/api'

const POLL_MS = 50
/** A supervisor may start something between our look and our signal; each round ends what the one before missed. */
const KILL_ROUNDS_MAX = 20

/** Process ids of a data directory: of the node, its supervisor and every Redis below it. */
export interface DataDirProcesses {
  readonly node: number | undefined
  readonly supervisor: number | undefined
  readonly redis: readonly number[]
}

export const processesOf = (dataDir: string): DataDirProcesses => {
  const node = readNodeFile(join(dataDir, 'node.json'))
  return { node: node?.pid, supervisor: node?.supervisorPid ?? undefined, redis: redisPidsBelow(dataDir) }
}

const readNodeFile = (file: string) => {
  try {
    return nodeFileSchema.safeParse(JSON.parse(readFileSync(file, 'utf8'))).data
  } catch {
    return undefined
  }
}

/** Pid files of Redis servers: `redis/*.pid` of the data directory and of the data directories inside it. */
const redisPidsBelow = (dataDir: string): readonly number[] => {
  // A data directory may be missing, or be no folder at all: then nothing runs there.
  if (statSync(dataDir, { throwIfNoEntry: false })?.isDirectory() !== true) return []
  const inside = readdirSync(dataDir, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  const folders = [join(dataDir, 'redis'), ...inside.map((entry) => join(dataDir, entry.name, 'redis'))]
  return folders
    .filter((folder) => existsSync(folder))
    .flatMap((folder) =>
      readdirSync(folder)
        .filter((name) => name.endsWith('.pid'))
        .map((name) => join(folder, name)),
    )
    .map(readPid)
    .filter((pid) => pid !== undefined)
}

const readPid = (file: string): number | undefined => {
  try {
    const pid = Number.parseInt(readFileSync(file, 'utf8'), 10)
    return Number.isSafeInteger(pid) && pid > 1 ? pid : undefined
  } catch {
    return undefined
  }
}

/** Whether a process with this id is alive. */
export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** SIGKILL; nothing happens where the process is gone. */
export const killNow = (pid: number): void => {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // Gone already: what was wanted.
  }
}

const allOf = ({ node, supervisor, redis }: DataDirProcesses): readonly number[] =>
  // The supervisor first, or it starts again what dies after it.
  [supervisor, node, ...redis].filter((pid) => pid !== undefined)

/**
 * Processes that name `folder` in their arguments or environment, where the system shows these (Linux): one that was
 * starting when everything was stopped has not yet written its files.
 */
const straysOf = (folder: string): readonly number[] => {
  if (!existsSync('/proc/self/environ')) return []
  const pids = readdirSync('/proc').filter((name) => /^[1-9][0-9]*$/.test(name) && Number(name) !== process.pid)
  return pids
    .filter((pid) => mentions(`/proc/${pid}/cmdline`, folder) || mentions(`/proc/${pid}/environ`, folder))
    .map(Number)
}

const mentions = (file: string, text: string): boolean => {
  try {
    return readFileSync(file, 'latin1').includes(text)
  } catch {
    return false
  }
}

/**
 * Ends everything of the data directories below `folder` that `node stop` has left, and waits until it is gone. The
 * folder's name has to be unique on this machine.
 */
export const endEverythingBelow = async (folder: string, dataDirs: readonly string[]): Promise<void> => {
  for (let round = 0; round < KILL_ROUNDS_MAX; round++) {
    const known = dataDirs.flatMap((dataDir) => allOf(processesOf(dataDir)))
    const alive = [...new Set([...known, ...straysOf(folder)])].filter(isAlive)
    if (alive.length === 0) return
    for (const pid of alive) killNow(pid)
    await sleep(POLL_MS)
  }
}

/** Waits until `condition` gives a value; undefined when `timeoutMs` have passed. */
export const waitUntil = async <T>(condition: () => T | undefined, timeoutMs: number): Promise<T | undefined> => {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const value = condition()
    if (value !== undefined) return value
    if (performance.now() > deadline) return undefined
    await sleep(POLL_MS)
  }
}
