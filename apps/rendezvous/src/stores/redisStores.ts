/**
 * The rendezvous' stores on Redis. Every key carries the prefix's hash tag, so all of them live in one slot; the room's
 * event stream is the event store's.
 */
import { MAILBOX_MAX_MESSAGES } from '@godwit/protocol/limits'
import type { Redis } from 'ioredis'
import type { Mailbox, MailboxMessage, StoredMessage } from './mailbox.js'
import { LocalRoomBell, type RoomBell } from './roomBell.js'
import type { RoomDirectory } from './roomDirectory.js'

/** Sets KEYS[1] to ARGV[2] for ARGV[3] milliseconds if it holds ARGV[1]; deletes it where ARGV[2] is empty. 1 if done. */
const REPLACE_IF_HELD = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return 1`

export class RedisRoomDirectory implements RoomDirectory {
  readonly #redis: Redis
  readonly #prefix: string
  readonly #dueKey: string

  constructor(redis: Redis, prefix: string) {
    this.#redis = redis
    this.#prefix = prefix
    this.#dueKey = `${prefix}:rooms-due`
  }

  async claim(nameplate: string, roomId: string, ttlMs: number): Promise<string> {
    // The holder may expire between the two commands: then the claim is tried once more.
    for (;;) {
      if ((await this.#redis.set(this.#key(nameplate), roomId, 'PX', ttlMs, 'NX')) === 'OK') return roomId
      const holder = await this.lookUp(nameplate)
      if (holder !== undefined) return holder
    }
  }

  async replace(nameplate: string, previous: string, roomId: string, ttlMs: number): Promise<boolean> {
    return (await this.#redis.eval(REPLACE_IF_HELD, 1, this.#key(nameplate), previous, roomId, ttlMs)) === 1
  }

  async lookUp(nameplate: string): Promise<string | undefined> {
    return (await this.#redis.get(this.#key(nameplate))) ?? undefined
  }

  async release(nameplate: string, roomId: string): Promise<void> {
    await this.#redis.eval(REPLACE_IF_HELD, 1, this.#key(nameplate), roomId, '', 0)
  }

  async schedule(roomId: string, dueAt: number): Promise<void> {
    await this.#redis.zadd(this.#dueKey, dueAt, roomId)
  }

  async unschedule(roomId: string): Promise<void> {
    await this.#redis.zrem(this.#dueKey, roomId)
  }

  due(now: number, limit: number): Promise<readonly string[]> {
    return this.#redis.zrangebyscore(this.#dueKey, '-inf', now, 'LIMIT', 0, limit)
  }

  count(): Promise<number> {
    return this.#redis.zcard(this.#dueKey)
  }

  #key(nameplate: string): string {
    return `${this.#prefix}:nameplate:${nameplate}`
  }
}

export class RedisMailbox implements Mailbox {
  readonly #redis: Redis
  readonly #prefix: string

  constructor(redis: Redis, prefix: string) {
    this.#redis = redis
    this.#prefix = prefix
  }

  async append(roomId: string, message: MailboxMessage, expiresAt: number): Promise<string> {
    const key = this.#key(roomId)
    const replies = await this.#redis
      .multi()
      .xadd(
        key,
        'MAXLEN',
        MAILBOX_MAX_MESSAGES,
        '*',
        'from',
        message.from,
        'to',
        message.to,
        'after',
        message.afterVersion,
        'body',
        message.body,
      )
      .pexpireat(key, expiresAt)
      .exec()
    const [error, id] = replies?.[0] ?? [new Error('the transaction was discarded'), undefined]
    if (error !== null) throw error
    return String(id)
  }

  async read(roomId: string, afterId: string): Promise<readonly StoredMessage[]> {
    const entries = await this.#redis.xrange(this.#key(roomId), `(${afterId}`, '+')
    return entries.map(([id, fields]) => {
      const field = (name: string): string => fields[fields.indexOf(name) + 1] ?? ''
      return { id, from: field('from'), to: field('to'), afterVersion: Number(field('after')), body: field('body') }
    })
  }

  async delete(roomId: string): Promise<void> {
    await this.#redis.del(this.#key(roomId))
  }

  #key(roomId: string): string {
    return `${this.#prefix}:mailbox:${roomId}`
  }
}

/**
 * A bell that several processes on one Redis share. Rings of other processes are lost while the subscription is away;
 * when it is back, every watcher is woken.
 */
export class RedisRoomBell implements RoomBell {
  readonly #publisher: Redis
  readonly #channel: string
  readonly #local = new LocalRoomBell()

  /** @param subscriber - a connection of the bell's own: one that subscribes can do nothing else. */
  constructor(publisher: Redis, subscriber: Redis, prefix: string) {
    this.#publisher = publisher
    this.#channel = `${prefix}:bell`
    subscriber.on('message', (_channel: string, roomId: string) => this.#local.ring(roomId))
    const subscribe = (): void => {
      // What was rung before the subscription stood is made up for; a failure comes again as 'ready'.
      subscriber.subscribe(this.#channel).then(
        () => this.#local.ringAll(),
        () => undefined,
      )
    }
    subscriber.on('ready', subscribe)
    if (subscriber.status === 'ready') subscribe()
  }

  ring(roomId: string): void {
    this.#local.ring(roomId)
    // A lost ring only delays other processes until their next one.
    this.#publisher.publish(this.#channel, roomId).catch(() => undefined)
  }

  listen(roomId: string, onRing: () => void): () => void {
    return this.#local.listen(roomId, onRing)
  }
}
