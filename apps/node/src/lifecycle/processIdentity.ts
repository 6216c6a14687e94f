/**
 * Which process a pid means: pids are given out again, so a pid that was written down is compared together with the
 * moment at which its process started.
 */
import { readFileSync } from 'node:fs'

/** A process of this machine. `startTime` is null where the system does not tell it. */
export interface ProcessIdentity {
  readonly pid: number
  /** Boot id and clock ticks since boot (proc(5), field 22 of stat): the same for no other process of this machine. */
  readonly startTime: string | null
}

/** Field 22 of `/proc/<pid>/stat`; the command in field 2 may itself hold spaces and parentheses. */
export const parseStartTicks = (stat: string): string | null => {
  const afterCommand = stat.slice(stat.lastIndexOf(')') + 2)
  const ticks = afterCommand.split(' ')[19]
  return ticks !== undefined && /^[0-9]+$/.test(ticks) ? ticks : null
}

const bootId = (): string => {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return ''
  }
}

const startTimeOf = (pid: number): string | null => {
  try {
    const ticks = parseStartTicks(readFileSync(`/proc/${pid}/stat`, 'utf8'))
    return ticks === null ? null : `${bootId()}.${ticks}`
  } catch {
    return null
  }
}

/** The identity of a process that runs now: by default this one. */
export const identityOf = (pid: number = process.pid): ProcessIdentity => ({ pid, startTime: startTimeOf(pid) })

const isZombie = (pid: number): boolean => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z')
  } catch {
    return false
  }
}

/** Whether exactly this process still runs. Without a start time the pid alone must do. */
export const isRunning = (identity: ProcessIdentity): boolean => {
  try {
    process.kill(identity.pid, 0)
  } catch (error) {
    // EPERM: it runs, as another user.
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return false
  }
  // A zombie holds nothing any more; only its parent has not looked yet.
  if (isZombie(identity.pid)) return false
  const startTime = startTimeOf(identity.pid)
  return identity.startTime === null || startTime === null || startTime === identity.startTime
}
