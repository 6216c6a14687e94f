/**
 * Hands added files to the node, piece by piece: the next piece of a file leaves when the node has written the last one,
 * so the disk sets the pace. A node that is away is waited for, and says where each file goes on.
 */
import { SPOOL_PIECE_BYTES } from '@godwit/protocol/limits'
import { authorizedFetch } from '../api/api'
import type { AddedFile } from './droppedFiles'

/** Files that are handed over at the same time: small ones wait for the disk most of the time. */
const AT_ONCE = 3
const RETRY_MIN_MS = 250
const RETRY_MAX_MS = 4000

/** The node has refused a file, in its words. */
export class UploadRefused extends Error {
  override readonly name = 'UploadRefused'
}

export interface UploadOptions {
  readonly spoolId: string
  readonly files: readonly AddedFile[]
  /** Bytes that are on the node's disk so far. */
  readonly onProgress: (bytes: number) => void
  readonly signal: AbortSignal
}

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })

type PieceAnswer = { readonly is: 'written' | 'elsewhere'; readonly size: number } | { readonly is: 'away' }

const sendPiece = async (url: string, body: Blob, signal: AbortSignal): Promise<PieceAnswer> => {
  let answer: Response
  try {
    answer = await authorizedFetch(url, {
      method: 'PUT',
      headers: { 'content-type': 'application/octet-stream' },
      body,
      signal,
    })
  } catch (error) {
    signal.throwIfAborted()
    // A file that cannot be read any more fails here too, and for good.
    await body
      .slice(0, 1)
      .arrayBuffer()
      .catch(() => {
        throw new UploadRefused('A file has changed or is gone. Add it again.')
      })
    if (error instanceof UploadRefused) throw error
    return { is: 'away' }
  }
  if (answer.status === 429 || answer.status === 503) return { is: 'away' }
  const value: unknown = await answer.json()
  const size = typeof value === 'object' && value !== null && 'size' in value ? Number(value.size) : undefined
  if (size !== undefined && (answer.ok || answer.status === 409)) {
    return { is: answer.ok ? 'written' : 'elsewhere', size }
  }
  const message = typeof value === 'object' && value !== null && 'message' in value ? String(value.message) : ''
  throw new UploadRefused(message === '' ? 'The node has refused a file.' : message)
}

const uploadFile = async (
  { spoolId, signal }: UploadOptions,
  { path, file }: AddedFile,
  onBytes: (change: number) => void,
): Promise<void> => {
  let offset = 0
  let waitMs = RETRY_MIN_MS
  for (;;) {
    signal.throwIfAborted()
    const end = Math.min(file.size, offset + SPOOL_PIECE_BYTES)
    const query = new URLSearchParams({ path, offset: String(offset) })
    if (end === file.size) query.set('mtime', String(file.lastModified))
    const answer = await sendPiece(`/spool/${spoolId}?${query}`, file.slice(offset, end), signal)
    if (answer.is === 'away') {
      await pause(waitMs, signal)
      waitMs = Math.min(waitMs * 2, RETRY_MAX_MS)
      continue
    }
    waitMs = RETRY_MIN_MS
    if (answer.size > file.size) throw new UploadRefused('A file has changed while it was added. Add it again.')
    onBytes(answer.size - offset)
    offset = answer.size
    if (offset === file.size && answer.is === 'written') return
    // The last piece was written before its answer was lost: an empty one ends the file.
  }
}

/** Resolves when every file is on the node's disk. @throws UploadRefused, or the signal's reason. */
export const upload = async (options: UploadOptions): Promise<void> => {
  const waiting = [...options.files]
  let bytes = 0
  const onBytes = (change: number): void => {
    bytes += change
    options.onProgress(bytes)
  }
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
      await uploadFile(options, next, onBytes)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
}
