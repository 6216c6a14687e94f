/** Logs to standard error: no tokens, no bodies, addresses truncated by whoever logs them. */
import { destination, type Logger, pino } from 'pino'

/** An error by name, text and stack; what libraries hang on it (ioredis: the command with its arguments) stays out. */
const plainError = (error: unknown): unknown =>
  error instanceof Error
    ? { type: error.name, message: error.message, stack: error.stack }
    : { message: 'not an error' }

export const createLogger = (level: string): Logger =>
  pino(
    {
      name: 'rendezvous',
      level,
      redact: {
        paths: ['token', 'body', 'authorization', '*.token', '*.body', '*.authorization', '*.headers.authorization'],
        censor: '[redacted]',
      },
      serializers: { err: plainError },
    },
    destination({ fd: 2, sync: true }),
  )
