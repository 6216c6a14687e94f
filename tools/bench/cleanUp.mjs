/**
 * What has to be taken away again, whatever ends the program: namespaces, devices, processes, mounts, folders. The
 * last thing made is the first to go.
 */

/** @typedef {() => unknown} Disposer - may be asynchronous; what it throws is told and does not stop the others. */

export class CleanUp {
  /** @type {Disposer[]} */
  #disposers = []
  /** @type {Promise<void> | undefined} */
  #running

  /** @param {Disposer} dispose @returns {() => Promise<void>} disposes now and forgets. */
  add(dispose) {
    this.#disposers.push(dispose)
    return async () => {
      const at = this.#disposers.indexOf(dispose)
      if (at < 0) return
      this.#disposers.splice(at, 1)
      await dispose()
    }
  }

  /** Disposes of everything; a second call waits for the first. */
  run() {
    this.#running ??= this.#runAll().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  async #runAll() {
    for (let dispose = this.#disposers.pop(); dispose !== undefined; dispose = this.#disposers.pop()) {
      try {
        await dispose()
      } catch (error) {
        console.error(`clean-up: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
  }
}

/**
 * Runs `work` and cleans up behind it, also when it fails or is interrupted; then ends the process.
 *
 * @param {(cleanUp: CleanUp) => Promise<number>} work - its value is the exit code.
 */
export async function runAndCleanUp(work) {
  const cleanUp = new CleanUp()
  let signals = 0
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.on(signal, () => {
      signals += 1
      // Whoever asks three times means at once.
      if (signals > 2) process.exit(130)
      if (signals === 1) console.error('\ninterrupted: cleaning up')
      void cleanUp.run().then(() => process.exit(130))
    })
  }
  let exitCode = 1
  try {
    exitCode = await work(cleanUp)
  } catch (error) {
    if (signals === 0) console.error(error instanceof UsageError ? error.message : error)
    if (error instanceof UsageError) exitCode = 2
  }
  await cleanUp.run()
  process.exit(signals > 0 ? 130 : exitCode)
}

/** The command line or this machine is not what the work needs: one sentence is enough. */
export class UsageError extends Error {}
