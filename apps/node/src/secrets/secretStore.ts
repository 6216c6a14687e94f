/**
 * The secrets of transfers on disk: one file `<dataDir>/secrets/<transferId>.json` each, 0600 in a 0700 folder. It is
 * the only place where they are kept; traffic keys and packet numbers are never kept at all.
 *
 * Writing is atomic: temporary file, fsync, rename, fsync of the folder; a crash leaves the old or the new state.
 * Within a process, changes of one transfer are worked off in order; between processes its lease sees to that.
 */
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { transferIdSchema } from '@godwit/protocol/api'
import { assert } from '@godwit/protocol/assert'
import { fail, ok, type Result } from '@godwit/protocol/errors'
import { decodeSecrets, encodeSecrets, type TransferSecrets } from './transferSecrets.js'

export class SecretStore {
  readonly #dataDir: string
  readonly #folder: string
  /** Whether a power cut leaves the folder there. */
  #isFolderDurable = false
  readonly #tails = new Map<string, Promise<unknown>>()

  /** `folder` is made when the first secrets are written. */
  constructor(dataDir: string) {
    this.#dataDir = dataDir
    this.#folder = join(dataDir, 'secrets')
  }

  /** Null when there are none. ERR_DATA_DIR when the file is damaged or cannot be read. */
  async read(transferId: string): Promise<Result<TransferSecrets | null>> {
    let text: string
    try {
      text = await readFile(this.#pathOf(transferId), 'utf8')
    } catch (reason) {
      return isMissing(reason) ? ok(null) : fail('ERR_DATA_DIR', 'The secrets of a transfer cannot be read')
    }
    const secrets = decodeSecrets(text)
    return secrets === undefined ? fail('ERR_DATA_DIR', 'The secrets of a transfer are damaged') : ok(secrets)
  }

  /** Replaces whatever is there; on disk when it resolves. ERR_DISK_FULL or ERR_DATA_DIR. */
  write(transferId: string, secrets: TransferSecrets): Promise<Result<null>> {
    return this.#inOrder(transferId, () => this.#replace(transferId, secrets))
  }

  /**
   * Reads, changes and writes with nothing in between. `change` gets null when there are none, and may give null for
   * "leave it". Resolves with what is then on disk.
   */
  update(
    transferId: string,
    change: (secrets: TransferSecrets | null) => TransferSecrets | null,
  ): Promise<Result<TransferSecrets | null>> {
    return this.#inOrder(transferId, async () => {
      const before = await this.read(transferId)
      if (!before.ok) return before
      const after = change(before.value)
      if (after === null) return before
      const written = await this.#replace(transferId, after)
      return written.ok ? ok(after) : written
    })
  }

  /** At completion, or when the transfer is cancelled or removed. Nothing there is fine. */
  delete(transferId: string): Promise<void> {
    return this.#inOrder(transferId, async () => {
      const path = this.#pathOf(transferId)
      await rm(path, { force: true })
      // A crash while it was being written leaves the secrets there too.
      await rm(temporaryOf(path), { force: true })
      await syncFolder(this.#folder)
    })
  }

  /** At start, before anything is written: deletes what a crash left of transfers that are not kept. */
  async keepOnly(isKept: (transferId: string) => boolean): Promise<void> {
    const names = await readdir(this.#folder).catch(() => [])
    for (const name of names) {
      const id = /^(.+)\.json(?:\.tmp)?$/.exec(name)?.[1]
      if (id === undefined || !transferIdSchema.safeParse(id).success) continue
      if (!isKept(id)) await this.delete(id)
      else if (name.endsWith('.tmp')) await rm(join(this.#folder, name), { force: true })
    }
  }

  async #replace(transferId: string, secrets: TransferSecrets): Promise<Result<null>> {
    const path = this.#pathOf(transferId)
    const temporary = temporaryOf(path)
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 })
      if (!this.#isFolderDurable) await syncFolder(this.#dataDir)
      this.#isFolderDurable = true
      // A left-over of a crash may have any mode: a new file has ours.
      await rm(temporary, { force: true })
      const file = await open(temporary, 'wx', 0o600)
      try {
        await file.writeFile(encodeSecrets(secrets))
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(temporary, path)
      await syncFolder(this.#folder)
      return ok(null)
    } catch (reason) {
      const code = codeOf(reason)
      return fail(code === 'ENOSPC' || code === 'EDQUOT' ? 'ERR_DISK_FULL' : 'ERR_DATA_DIR', `secrets: ${code}`)
    }
  }

  #pathOf(transferId: string): string {
    assert(transferIdSchema.safeParse(transferId).success, 'secrets are kept under a transfer id')
    return join(this.#folder, `${transferId}.json`)
  }

  #inOrder<T>(transferId: string, task: () => Promise<T>): Promise<T> {
    const result = (this.#tails.get(transferId) ?? Promise.resolve()).then(task)
    const tail = result
      .catch(() => undefined)
      .then(() => {
        if (this.#tails.get(transferId) === tail) this.#tails.delete(transferId)
      })
    this.#tails.set(transferId, tail)
    return result
  }
}

const temporaryOf = (path: string): string => `${path}.tmp`

/** Not every system can fsync a folder (Windows: EPERM): then the rename is as durable as it gets. */
const syncFolder = async (folder: string): Promise<void> => {
  const handle = await open(folder, 'r').catch(() => null)
  if (handle === null) return
  try {
    await handle.sync()
  } catch (reason) {
    const code = codeOf(reason)
    if (code !== 'EPERM' && code !== 'EISDIR' && code !== 'EINVAL') throw reason
  } finally {
    await handle.close()
  }
}

const codeOf = (reason: unknown): string =>
  reason instanceof Error && 'code' in reason && typeof reason.code === 'string' ? reason.code : 'unknown'

const isMissing = (reason: unknown): boolean => codeOf(reason) === 'ENOENT'
