/** Processes that are not our children: whether one lives, what it is, and how to end it. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

/** Whether a process runs; one that has ended but was not reaped (no init in a container) does not. */
export const isRunning = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
  try {
    // proc(5): the state follows the name, which is in parentheses and may hold any character.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) !== 'Z'
  } catch {
    return process.platform !== 'linux'
  }
}

/** The command line of a process, its parts joined by spaces; empty where it cannot be told. */
export const commandLineOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    if (process.platform === 'linux') return ''
  }
  try {
    return execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8', timeout: 2000 })
  } catch {
    return ''
  }
}

/** Milliseconds between looks at a process that was asked to end. */
const POLL_MS = 20

/** SIGTERM, and SIGKILL when it still runs after `graceMs`; resolves once it has ended. */
export const endProcess = async (pid: number, graceMs: number): Promise<void> => {
  send(pid, 'SIGTERM')
  for (let waitedMs = 0; isRunning(pid); waitedMs += POLL_MS) {
    if (waitedMs >= graceMs) send(pid, 'SIGKILL')
    // A process that the kernel holds (a disk that hangs) cannot be waited for endlessly.
    if (waitedMs >= graceMs + 5000) return
    await delay(POLL_MS)
  }
}

const send = (pid: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(pid, signal)
  } catch {
    // It has ended meanwhile.
  }
}
