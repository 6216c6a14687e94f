/**
 * The spool: where files that were dropped on a page lie until they are sent. A page hands them over in pieces, each
 * acknowledged when it is on disk, so a page is never ahead of the disk by more than one piece, and goes on after a
 * restart of the node where it was.
 *
 * ```
 * spool/<id>/files/…      0600  the files under their own names
 * spool/<id>/claim.json         which submission, and then which transfer, sends them
 * ```
 *
 * A spool is deleted when its transfer is over and cannot be retried, and when nothing has come for an hour and nobody
 * has sent it. `TransferRecords` says which transfers there are.
 */
import { randomBytes } from 'node:crypto'
import { mkdir, open, readdir, readFile, rm, stat, utimes } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { spoolIdSchema } from '@godwit/protocol/api'
import { displayPath } from '@godwit/protocol/displayName'
import type { Result } from '@godwit/protocol/errors'
import { fail, ok } from '@godwit/protocol/errors'
import {
  SPOOL_FAILED_MS,
  SPOOL_FILES_MAX,
  SPOOL_IDLE_MS,
  SPOOL_PIECES_AT_ONCE_MAX,
  SPOOLS_MAX,
  TRANSFER_MAX_BYTES,
} from '@godwit/protocol/limits'
import { pathProblem } from '@godwit/protocol/names'
import { z } from 'zod'
import { attempt } from '../files/diskErrors.js'
import { checkDiskSpace } from '../files/diskSpace.js'
import { writePrivateFile } from '../lifecycle/privateFile.js'
import type { TransferRecords } from '../records/transferRecord.js'

const claimSchema = z.object({ submissionId: z.string(), transferId: z.string().nullable() })
type Claim = z.output<typeof claimSchema>

export interface Piece {
  /** Relative, its components joined by `/`. */
  readonly path: string
  /** Where in the file it begins. */
  readonly offset: number
  readonly bytes: Uint8Array
  /** When it is the file's last one: the file's modification time, milliseconds since 1970. */
  readonly endsWithMtime: number | undefined
}

/** How many bytes of a file are on disk: where the next piece begins, whether this one was taken or not. */
export interface PieceAnswer {
  readonly size: number
  readonly isTaken: boolean
}

export interface SpoolOptions {
  readonly dir: string
  readonly records: Pick<TransferRecords, 'findBySubmission' | 'get'>
  /** Wall clock, milliseconds since 1970. */
  readonly now?: () => number
  readonly filesMax?: number
}

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567'

export class Spool {
  readonly #dir: string
  readonly #records: SpoolOptions['records']
  readonly #now: () => number
  readonly #filesMax: number
  /** Pieces being written, for the limit. */
  #writing = 0
  /** Spools that are being handed over: when the last piece came, and how many files there are. */
  readonly #live = new Map<string, { touchedAt: number; files: number }>()

  constructor(options: SpoolOptions) {
    this.#dir = options.dir
    this.#records = options.records
    this.#now = options.now ?? Date.now
    this.#filesMax = options.filesMax ?? SPOOL_FILES_MAX
  }

  /** A new spool. ERR_DISK_FULL when it would not fit, ERR_TOO_MANY_TRANSFERS when too many wait to be sent. */
  async begin(files: number, bytes: number): Promise<Result<{ readonly spoolId: string }>> {
    if (files > this.#filesMax || bytes > TRANSFER_MAX_BYTES) return fail('ERR_MANIFEST_TOO_LARGE')
    const made = await attempt('making the spool folder', () => mkdir(this.#dir, { recursive: true, mode: 0o700 }))
    if (!made.ok) return made
    await this.sweep()
    const waiting = await Promise.all((await this.#ids()).map((id) => this.#claim(id)))
    if (waiting.filter((claim) => (claim?.transferId ?? null) === null).length >= SPOOLS_MAX) {
      return fail('ERR_TOO_MANY_TRANSFERS', 'too many files wait to be sent')
    }
    const space = await checkDiskSpace(this.#dir, { bytes, files })
    if (!space.ok) return space
    const spoolId = `sp${Array.from(randomBytes(16), (byte) => BASE32[byte & 31]).join('')}`
    const folder = await attempt('making the spool folder', () =>
      mkdir(this.#files(spoolId), { recursive: true, mode: 0o700 }),
    )
    if (!folder.ok) return folder
    this.#live.set(spoolId, { touchedAt: this.#now(), files: 0 })
    return ok({ spoolId })
  }

  /** Writes a piece that begins where the file ends; another one is not taken, and the answer says where to go on. */
  async write(spoolId: string, piece: Piece): Promise<Result<PieceAnswer>> {
    const path = piece.path.split('/')
    const problem = pathProblem(path)
    if (problem !== undefined) return fail('ERR_NAME_UNSENDABLE', `${displayPath(path)} ${problem}`)
    if (!(await this.#isThere(spoolId))) return fail('ERR_SPOOL_GONE')
    if (this.#writing >= SPOOL_PIECES_AT_ONCE_MAX) return fail('ERR_TOO_MANY_TRANSFERS', 'too many files at once')
    this.#writing += 1
    try {
      const space = await checkDiskSpace(this.#dir, { bytes: piece.bytes.length, files: 1 })
      if (!space.ok) return space
      return await this.#append(spoolId, path, piece)
    } finally {
      this.#writing -= 1
    }
  }

  async #append(spoolId: string, path: readonly string[], piece: Piece): Promise<Result<PieceAnswer>> {
    const live = this.#live.get(spoolId) ?? { touchedAt: 0, files: 0 }
    live.touchedAt = this.#now()
    this.#live.set(spoolId, live)
    const target = join(this.#files(spoolId), ...path)
    if (piece.offset === 0 && live.files >= this.#filesMax) return fail('ERR_MANIFEST_TOO_LARGE')
    return attempt('writing an added file', async () => {
      await mkdir(dirname(target), { recursive: true, mode: 0o700 })
      const file = await open(target, 'a', 0o600)
      try {
        const { size } = await file.stat()
        if (size !== piece.offset) return { size, isTaken: false }
        if (size === 0) live.files += 1
        for (let done = 0; done < piece.bytes.length; ) {
          done += (await file.write(piece.bytes, done)).bytesWritten
        }
        if (piece.endsWithMtime !== undefined) {
          await file.sync()
          await utimes(target, piece.endsWithMtime / 1000, piece.endsWithMtime / 1000)
        }
        return { size: size + piece.bytes.length, isTaken: true }
      } finally {
        await file.close()
      }
    })
  }

  /** The absolute paths of what lies at the top of the spool, for a submission that sends them. */
  async claim(spoolId: string, submissionId: string): Promise<Result<readonly string[]>> {
    if (!(await this.#isThere(spoolId))) return fail('ERR_SPOOL_GONE')
    const before = await this.#claim(spoolId)
    if ((before?.transferId ?? null) !== null && before?.submissionId !== submissionId) return fail('ERR_SPOOL_GONE')
    const names = await readdir(this.#files(spoolId))
    if (names.length === 0) return fail('ERR_NOTHING_TO_SEND')
    if (before?.submissionId !== submissionId) this.#writeClaim(spoolId, { submissionId, transferId: null })
    return ok(names.toSorted().map((name) => join(this.#files(spoolId), name)))
  }

  /** The transfer that sends it: from now on the spool lives as long as it does. */
  claimed(spoolId: string, submissionId: string, transferId: string): void {
    this.#live.delete(spoolId)
    this.#writeClaim(spoolId, { submissionId, transferId })
  }

  /** The user has thought better of it. A spool that is being sent stays. */
  async drop(spoolId: string): Promise<void> {
    if (!spoolIdSchema.safeParse(spoolId).success) return
    if (((await this.#claim(spoolId))?.transferId ?? null) === null) await this.#remove(spoolId)
  }

  /** Deletes what nobody needs any more. */
  async sweep(): Promise<void> {
    for (const id of await this.#ids()) if (await this.#isOver(id)) await this.#remove(id)
  }

  async #isOver(spoolId: string): Promise<boolean> {
    const claim = await this.#claim(spoolId)
    const record =
      claim === undefined
        ? undefined
        : claim.transferId === null
          ? this.#records.findBySubmission(claim.submissionId)
          : this.#records.get(claim.transferId)
    if (record === undefined) {
      return (claim?.transferId ?? null) !== null || (await this.#quietMs(spoolId)) > SPOOL_IDLE_MS
    }
    if (record.ended === 'completed' || record.ended === 'cancelled') return true
    return record.ended === 'failed' && (await this.#quietMs(spoolId)) > SPOOL_FAILED_MS
  }

  /** Milliseconds since something came. */
  async #quietMs(spoolId: string): Promise<number> {
    const touchedAt = this.#live.get(spoolId)?.touchedAt
    if (touchedAt !== undefined) return this.#now() - touchedAt
    try {
      return this.#now() - (await stat(this.#files(spoolId))).mtimeMs
    } catch {
      return Number.POSITIVE_INFINITY
    }
  }

  async #remove(spoolId: string): Promise<void> {
    this.#live.delete(spoolId)
    await rm(join(this.#dir, spoolId), { recursive: true, force: true })
  }

  async #ids(): Promise<readonly string[]> {
    try {
      return (await readdir(this.#dir)).filter((name) => spoolIdSchema.safeParse(name).success)
    } catch {
      // Nothing was ever dropped.
      return []
    }
  }

  async #isThere(spoolId: string): Promise<boolean> {
    if (!spoolIdSchema.safeParse(spoolId).success) return false
    try {
      return (await stat(this.#files(spoolId))).isDirectory()
    } catch {
      return false
    }
  }

  async #claim(spoolId: string): Promise<Claim | undefined> {
    try {
      return claimSchema.safeParse(JSON.parse(await readFile(this.#claimFile(spoolId), 'utf8'))).data
    } catch {
      return undefined
    }
  }

  #writeClaim(spoolId: string, claim: Claim): void {
    writePrivateFile(this.#claimFile(spoolId), `${JSON.stringify(claim)}\n`)
  }

  #files(spoolId: string): string {
    return join(this.#dir, spoolId, 'files')
  }

  #claimFile(spoolId: string): string {
    return join(this.#dir, spoolId, 'claim.json')
  }
}
