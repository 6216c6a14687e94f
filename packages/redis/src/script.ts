/**
 * Lua scripts, called by their hash and sent whole when the server does not know them (after a restart).
 * A script is named by verb, noun and its number of keys.
 */
import { createHash } from 'node:crypto'
import type { Redis } from 'ioredis'

export class Script {
  readonly name: string
  readonly #lua: string
  readonly #sha: string

  constructor(name: string, lua: string) {
    this.name = name
    this.#lua = lua
    this.#sha = createHash('sha1').update(lua).digest('hex')
  }

  /** The script's answer, unparsed. Rejects when Redis refuses or, on a hasty connection, is away. */
  async run(redis: Redis, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    try {
      return await redis.evalsha(this.#sha, keys.length, ...keys, ...args)
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
      return await redis.eval(this.#lua, keys.length, ...keys, ...args)
    }
  }
}
