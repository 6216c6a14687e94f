/**
 * What to do with an append-only file that the server refuses to load: a damaged disk or a copy gone wrong, not a crash
 * (a last command that is cut off loads). The file is copied aside, then cut where it is damaged, by the server's own
 * checker; where even that fails the server begins with nothing. Either way what the log has lost is found again by
 * hashing what lies on the disk.
 */
import { spawn } from 'node:child_process'
import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs'
import { cp, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { ServerBinary } from './serverBinary.js'

/** Milliseconds that checking may take: it reads the file once. */
const CHECK_TIMEOUT_MS = 120_000
/** Bytes of the log's end that are searched for the reason of a death. */
const LOG_TAIL_BYTES = 16 * 1024

/** What Redis 6.2 to 8 and Valkey say before they give up loading. A disk that is full or cannot be read is not here. */
const REFUSALS =
  /Bad file format reading|Unexpected end of file reading|Unknown command .* reading the append only|Internal error in RDB|Wrong signature trying to load|FATAL AOF MANIFEST FILE|RDB CRC error|Error reading the RDB/

/** Whether the log, from `fromByte` on, says that the server refused its append-only file. */
export const saysDamaged = (logPath: string, fromByte: number): boolean => {
  try {
    const file = openSync(logPath, 'r')
    try {
      const start = Math.max(fromByte, fstatSync(file).size - LOG_TAIL_BYTES)
      const tail = Buffer.alloc(LOG_TAIL_BYTES)
      const length = readSync(file, tail, 0, LOG_TAIL_BYTES, start)
      return REFUSALS.test(tail.toString('utf8', 0, length))
    } finally {
      closeSync(file)
    }
  } catch {
    return false
  }
}

export interface Repair {
  /** The copy of what was found. */
  readonly copy: string
  readonly outcome: 'cut' | 'begunAnew'
}

/**
 * Repairs the append-only file in `dir` while no server runs. Undefined when there is none or it could not be copied:
 * then nothing was changed.
 *
 * @param stamp - tells this copy from earlier ones.
 * @param mayCut - false after a cut that did not help: the checker calls some files whole that the server refuses.
 */
export const repairAof = async (
  dir: string,
  binary: ServerBinary,
  stamp: string,
  mayCut: boolean,
): Promise<Repair | undefined> => {
  // Since Redis 7 a folder of files with a manifest, one file before.
  const folder = join(dir, 'appendonlydir')
  const single = join(dir, 'appendonly.aof')
  const found = existsSync(folder) ? folder : existsSync(single) ? single : undefined
  if (found === undefined) return undefined
  const copy = join(dir, `damaged-${stamp}-${basename(found)}`)
  try {
    await cp(found, copy, { recursive: true, errorOnExist: true, force: false })
  } catch {
    return undefined
  }
  const checked = found === folder ? join(folder, 'appendonly.aof.manifest') : single
  if (mayCut && (await check(binary, checked))) return { copy, outcome: 'cut' }
  await rm(found, { recursive: true, force: true })
  return { copy, outcome: 'begunAnew' }
}

/** The checker is the server's program under another name. Resolves with whether the file is now whole. */
const check = (binary: ServerBinary, path: string): Promise<boolean> =>
  new Promise((resolve) => {
    // `execFile` would not hand on argv0.
    const child = spawn(binary.path, ['--fix', path], {
      argv0: basename(binary.path).replace('server', 'check-aof'),
      stdio: ['pipe', 'ignore', 'ignore'],
      timeout: CHECK_TIMEOUT_MS,
      env: { PATH: process.env['PATH'], LD_LIBRARY_PATH: binary.lib ?? process.env['LD_LIBRARY_PATH'] },
    })
    child.on('error', () => resolve(false))
    child.on('close', (exitCode) => resolve(exitCode === 0))
    // A checker that has ended before it asks is no error of ours.
    child.stdin.on('error', () => undefined)
    child.stdin.end('y\n')
  })
