/**
 * Since when receivers hold a place in the room without having paired. Whoever knows the nameplate can take a place; one
 * that says nothing must not keep the right receiver waiting in line.
 */
import { HANDSHAKE_TIMEOUT_MS } from '@godwit/protocol/limits'

export interface Overdue {
  /** Those whose time is over. */
  readonly receivers: readonly string[]
  /** Milliseconds until the next one's is; undefined where nobody else holds a place so. */
  readonly nextInMs: number | undefined
}

export class Admissions {
  readonly #since = new Map<string, number>()

  /**
   * @param silent - ids of all receivers that are admitted and have not paired; one that is missing has its time anew.
   * @param nowMs - milliseconds of a clock that never goes back.
   */
  look(silent: readonly string[], nowMs: number): Overdue {
    for (const id of this.#since.keys()) if (!silent.includes(id)) this.#since.delete(id)
    const overdue: string[] = []
    let nextInMs: number | undefined
    for (const id of silent) {
      const since = this.#since.get(id) ?? nowMs
      this.#since.set(id, since)
      const leftMs = since + HANDSHAKE_TIMEOUT_MS - nowMs
      if (leftMs <= 0) overdue.push(id)
      else nextInMs = Math.min(nextInMs ?? leftMs, leftMs)
    }
    return { receivers: overdue, nextInMs }
  }
}
