/** Bounded concurrency for file operations: Node's thread pool runs four at a time, and descriptors are finite. */

/** File operations in flight at a time for one task; enough to keep the pool and a disk's queue busy. */
export const FILE_CONCURRENCY = 16

/** A piece of work that may add more. */
export type Task = (add: (task: Task) => void) => Promise<void>

/**
 * Runs `tasks` and whatever they add, at most `limit` at a time, the last added first. After the first error no other
 * is started; it is thrown once everything in flight has settled, so that nothing goes on behind the caller's back.
 */
export const runTasks = async (tasks: readonly Task[], limit = FILE_CONCURRENCY): Promise<void> => {
  const waiting = [...tasks].reverse()
  let firstError: { readonly error: unknown } | undefined
  let active = 0
  await new Promise<void>((resolve) => {
    const add = (task: Task): void => {
      waiting.push(task)
    }
    const fill = (): void => {
      while (active < limit && firstError === undefined) {
        const task = waiting.pop()
        if (task === undefined) break
        active += 1
        void run(task)
      }
      if (active === 0) resolve()
    }
    const run = async (task: Task): Promise<void> => {
      try {
        await task(add)
      } catch (error) {
        firstError ??= { error }
      }
      active -= 1
      fill()
    }
    fill()
  })
  if (firstError !== undefined) throw firstError.error
}

/** Calls `action` for 0 … count - 1, at most `limit` at a time; errors as in `runTasks`. */
export const forEachIndex = async (
  count: number,
  action: (index: number) => Promise<void>,
  limit = FILE_CONCURRENCY,
): Promise<void> => {
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < count) {
      const index = next
      next += 1
      try {
        await action(index)
      } catch (error) {
        next = count
        throw error
      }
    }
  }
  const lanes = await Promise.allSettled(Array.from({ length: Math.min(limit, count) }, lane))
  for (const result of lanes) if (result.status === 'rejected') throw result.reason
}

/** Lets one caller in at a time, in the order of their calls. */
export class Mutex {
  #last: Promise<unknown> = Promise.resolve()

  run<T>(action: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(action, action)
    this.#last = turn.catch(() => undefined)
    return turn
  }
}
