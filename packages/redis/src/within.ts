/** Waiting with a limit: whatever waits for Redis may wait for ever, and closing must not. */

/** Resolves with true once `work` has settled, with false when `ms` are over before. `work` itself goes on. */
export const within = async (ms: number, work: Promise<unknown>): Promise<boolean> => {
  let timeout: NodeJS.Timeout | undefined
  const timedOut = new Promise<false>((resolve) => {
    timeout = setTimeout(() => resolve(false), ms)
  })
  const settled = work.then(
    () => true,
    () => true,
  )
  const isDone = await Promise.race([settled, timedOut])
  clearTimeout(timeout)
  return isDone
}
