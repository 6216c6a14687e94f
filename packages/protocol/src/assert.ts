/** A bug: a state that the code rules out. It is never caught to go on; the process ends and is started again. */
export class BugError extends Error {
  override readonly name = 'BugError'
}

/** Crashes with `message` unless `condition` holds. For bugs only: a peer's bytes and a user's input are values. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new BugError(message)
}

/** Marks a case that the types rule out. */
export const unreachable = (value: never): never => {
  throw new BugError(`unreachable: ${JSON.stringify(value)}`)
}
