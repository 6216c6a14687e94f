/** A log file with a limit: at 10 MiB it becomes `<name>.1`, in the place of the one before it. */
import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs'

/** Bytes of a log file before it is rotated. Two of them are kept: enough to read back days of a node's life. */
export const LOG_MAX_BYTES = 10 * 1024 * 1024

export interface RotatingLog {
  /** Appends at once; nothing is lost when the process is killed a moment later. A full disk loses the line, not the node. */
  write(text: string): void
  close(): void
}

/** Opens `path` for appending (0600). Throws the system's error when it cannot. */
export const openRotatingLog = (path: string, maxBytes: number = LOG_MAX_BYTES): RotatingLog => {
  let fd = openSync(path, 'a', 0o600)
  let bytes = fstatSync(fd).size
  const rotate = (): void => {
    renameSync(path, `${path}.1`)
    closeSync(fd)
    fd = openSync(path, 'a', 0o600)
    bytes = 0
  }
  return {
    write(text) {
      try {
        if (bytes > 0 && bytes + Buffer.byteLength(text) > maxBytes) rotate()
        bytes += writeSync(fd, text)
      } catch {
        // Logging is never the reason why a node ends.
      }
    },
    close: () => closeSync(fd),
  }
}
