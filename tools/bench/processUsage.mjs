/** What a process has used: processor time and memory, from /proc (proc(5)). Linux only; elsewhere nothing is known. */
import { readFileSync, writeFileSync } from 'node:fs'

/** Ticks a second in /proc/PID/stat: USER_HZ, 100 on every Linux of today whatever the kernel's own HZ. */
const TICKS_PER_SECOND = 100

/** @typedef {{ cpuSeconds: number, peakRssBytes: number }} Usage */

/**
 * Seconds of user and system time in the text of /proc/PID/stat. The command in field 2 may hold spaces and parentheses.
 *
 * @param {string} stat
 */
export function cpuSecondsIn(stat) {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  // utime and stime are fields 14 and 15; the list begins with field 3.
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

/** Bytes of the largest resident set in the text of /proc/PID/status. @param {string} status */
export function peakRssIn(status) {
  const match = /^VmHWM:\s+([0-9]+) kB$/m.exec(status)
  return match === null ? 0 : Number(match[1]) * 1024
}

/** @param {number | undefined} pid @returns {Usage} zeros where the process is gone or cannot be looked at. */
export function usageOf(pid) {
  if (pid === undefined) return { cpuSeconds: 0, peakRssBytes: 0 }
  try {
    return {
      cpuSeconds: cpuSecondsIn(readFileSync(`/proc/${pid}/stat`, 'utf8')),
      peakRssBytes: peakRssIn(readFileSync(`/proc/${pid}/status`, 'utf8')),
    }
  } catch {
    return { cpuSeconds: 0, peakRssBytes: 0 }
  }
}

/** Lets the peak of a process begin anew. @param {number | undefined} pid */
export function resetPeakRss(pid) {
  if (pid === undefined) return
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, '5')
  } catch {
    // Not ours or gone: the peak of its whole life stays.
  }
}
