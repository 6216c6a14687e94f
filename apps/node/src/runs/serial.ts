/** Runs tasks one after the other, in the order of asking: what happens to one transfer is taken in as it came. */
export class Serial {
  #tail: Promise<unknown> = Promise.resolve()
  #waiting = 0

  /** Tasks that have not ended. */
  get size(): number {
    return this.#waiting
  }

  run<T>(task: () => Promise<T>): Promise<T> {
    this.#waiting += 1
    const result = this.#tail.then(task).finally(() => {
      this.#waiting -= 1
    })
    this.#tail = result.catch(() => undefined)
    return result
  }

  /** For tasks whose failure is a bug or a dead log: `onError` decides. */
  spawn(task: () => Promise<void>, onError: (error: unknown) => void): void {
    this.run(task).catch(onError)
  }

  async settled(): Promise<void> {
    await this.#tail
  }
}
