/** The node's logger: JSON lines by pino, to the rotating file or, in the foreground, to stderr. */
import type { Logger } from 'pino'
import { pino } from 'pino'
import { dataDirFiles } from './dataDir.js'
import { openRotatingLog } from './rotatingLog.js'

export interface LoggerOptions {
  readonly dataDir: string
  /** Whether lines go to stderr (systemd, containers) instead of `node.log`. */
  readonly isForeground: boolean
  /** pino's names: `debug`, `info`, `warn` … */
  readonly level?: string
}

/** Fields that must not reach a log even by mistake. */
const SECRETS = ['password', 'token', 'secret', 'words', 'authorization', 'room.password', 'input.code', 'input.room']

export const createLogger = (options: LoggerOptions): Logger => {
  const destination = options.isForeground
    ? { write: (line: string) => void process.stderr.write(line) }
    : openRotatingLog(dataDirFiles(options.dataDir).log)
  return pino(
    {
      level: options.level ?? 'info',
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: SECRETS, censor: '[secret]' },
    },
    destination,
  )
}
