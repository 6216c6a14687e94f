/** Open files, at most so many at a time; the one used longest ago is closed when another is needed. */
import type { FileHandle } from 'node:fs/promises'
import { assert } from '@godwit/protocol/assert'

export interface HandlePoolOptions {
  /** Most handles open at a time; callers wait while all of them are in use. */
  readonly max: number
  readonly open: (file: number) => Promise<FileHandle>
  /** Called before a handle is closed; nobody uses it any more. */
  readonly beforeClose?: (file: number, handle: FileHandle) => Promise<void>
}

interface Entry {
  readonly handle: Promise<FileHandle>
  users: number
}

export class HandlePool {
  readonly #options: HandlePoolOptions
  /** In order of their last use. */
  readonly #entries = new Map<number, Entry>()
  readonly #waiting: (() => void)[] = []
  #closing = 0

  constructor(options: HandlePoolOptions) {
    assert(options.max >= 1, 'a pool holds at least one handle')
    this.#options = options
  }

  /** Runs `action` with the file's handle, which is opened where needed and stays open until `action` has settled. */
  async use<T>(file: number, action: (handle: FileHandle) => Promise<T>): Promise<T> {
    const entry = await this.#enter(file)
    try {
      return await action(await entry.handle)
    } finally {
      entry.users -= 1
      this.#waiting.shift()?.()
    }
  }

  /** Waits for the uses under way and closes all files; no new use begins meanwhile. Throws the first error at the end. */
  async closeAll(): Promise<void> {
    let firstError: { readonly error: unknown } | undefined
    while (this.#entries.size + this.#closing > 0) {
      const idle = Array.from(this.#entries).filter(([, entry]) => entry.users === 0)
      if (idle.length === 0) await this.#released()
      const results = await Promise.allSettled(idle.map(([file, entry]) => this.#close(file, entry)))
      for (const result of results) if (result.status === 'rejected') firstError ??= { error: result.reason }
    }
    if (firstError !== undefined) throw firstError.error
  }

  async #enter(file: number): Promise<Entry> {
    for (;;) {
      const known = this.#entries.get(file)
      if (known !== undefined) {
        known.users += 1
        this.#entries.delete(file)
        this.#entries.set(file, known)
        return known
      }
      if (this.#entries.size + this.#closing < this.#options.max) return this.#open(file)
      await this.#makeRoom()
    }
  }

  #open(file: number): Entry {
    const entry: Entry = { handle: this.#options.open(file), users: 1 }
    this.#entries.set(file, entry)
    entry.handle.catch(() => {
      if (this.#entries.get(file) === entry) this.#entries.delete(file)
      this.#waiting.shift()?.()
    })
    return entry
  }

  async #makeRoom(): Promise<void> {
    for (const [file, entry] of this.#entries) {
      if (entry.users === 0) return this.#close(file, entry)
    }
    await this.#released()
  }

  #released(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  async #close(file: number, entry: Entry): Promise<void> {
    this.#entries.delete(file)
    this.#closing += 1
    try {
      const handle = await entry.handle
      try {
        await this.#options.beforeClose?.(file, handle)
      } finally {
        await handle.close()
      }
    } finally {
      this.#closing -= 1
      this.#waiting.shift()?.()
    }
  }
}
