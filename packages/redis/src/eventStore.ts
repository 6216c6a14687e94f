/**
 * The event store on Redis: one stream key per transfer or room with explicit ids `<version>-1`, and an outbox entry
 * per routed event written by the same script. Why Redis and why so: docs/adr/0001-event-log-on-redis.md.
 *
 * Durability is the server's: an embedded one answers after fsync (`appendfsync always`). While Redis is away calls
 * wait for it; they reject only when the log is closed or Redis refuses.
 */
import { randomUUID } from 'node:crypto'
import { followFrom } from '@godwit/engine/memory/follow'
import type { AppendResult, EventMetadata, EventStore, Fence } from '@godwit/engine/ports/eventStore'
import type { QueueName } from '@godwit/engine/ports/outbox'
import type { StopSignal } from '@godwit/engine/ports/stopSignal'
import { assert } from '@godwit/protocol/assert'
import type { DomainEvent, RecordedEvent } from '@godwit/protocol/events'
import { eventIdOf } from '@godwit/protocol/events'
import type { Redis } from 'ioredis'
import type { AppendNotifier } from './appendNotifier.js'
import type { EventCodec } from './eventCodec.js'
import { decodeEvent } from './eventCodec.js'
import type { LogKeys } from './keys.js'
import { Script } from './script.js'

/**
 * append-events-4: KEYS stream, streams, outbox, lease; ARGV stream id, expected version, append id, channel,
 * fence token ('' for none), envelope (recordedAt, schema, correlation, causation), then per event: type, data, queue.
 *
 * Guarantees: all events are appended or none; versions have no gap; each event with a queue leaves one outbox entry;
 * nothing is appended under a fence whose lease was given out again; the same append sent twice (a connection that
 * broke before the answer) is recorded once and answered the same.
 * Answers {'ok', version}, {'conflict', actual version} or {'fenced'}.
 */
const appendEvents = new Script(
  'append-events-4',
  `
  local expected = tonumber(ARGV[2])
  local first = 10
  local count = (#ARGV - first + 1) / 3
  local actual = 0
  local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
  if last then actual = tonumber(string.match(last[1], '^%d+')) end
  if actual ~= expected then
    if count > 0 and actual >= expected + count then
      local id = string.format('%d-1', expected + 1)
      local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
      if entry then
        for i = 1, #entry[2], 2 do
          if entry[2][i] == 'append' and entry[2][i + 1] == ARGV[3] then return {'ok', expected + count} end
        end
      end
    end
    return {'conflict', actual}
  end
  if ARGV[5] ~= '' and redis.call('HGET', KEYS[4], 'token') ~= ARGV[5] then return {'fenced'} end
  if count == 0 then return {'ok', actual} end
  for i = 0, count - 1 do
    local version = string.format('%d', expected + 1 + i)
    local event = first + i * 3
    redis.call('XADD', KEYS[1], version .. '-1', 'type', ARGV[event], 'data', ARGV[event + 1],
      'at', ARGV[6], 'schema', ARGV[7], 'correlation', ARGV[8], 'causation', ARGV[9], 'append', ARGV[3])
    if ARGV[event + 2] ~= '' then
      redis.call('XADD', KEYS[3], '*', 'queue', ARGV[event + 2], 'stream', ARGV[1], 'version', version)
    end
  end
  if expected == 0 then redis.call('SADD', KEYS[2], ARGV[1]) end
  redis.call('PUBLISH', ARGV[4], ARGV[1])
  return {'ok', expected + count}
  `,
)

/**
 * delete-stream-3: KEYS stream, streams, lease; ARGV stream id.
 * Guarantees: stream, its place in the set and its lease go together. Tokens of later leases are higher all the same,
 * since they are counted elsewhere.
 */
const deleteStream = new Script(
  'delete-stream-3',
  `
  redis.call('DEL', KEYS[1], KEYS[3])
  redis.call('SREM', KEYS[2], ARGV[1])
  return 1
  `,
)

/** Events of one append: as many as a worker decides at once; far below Lua's limit on arguments. */
const APPEND_MAX_EVENTS = 1000
/** Events read by one command while following. */
const FOLLOW_BATCH_EVENTS = 500
/** Characters of a stream id, as in event ids. */
const STREAM_ID = /^[A-Za-z0-9_-]{1,64}$/

export interface RedisEventStoreOptions<E extends DomainEvent> {
  readonly redis: Redis
  readonly keys: LogKeys
  readonly codec: EventCodec<E>
  readonly notifier: AppendNotifier
  /** The queue of an event's job; undefined where it needs none. */
  readonly routeOf: (event: E) => QueueName | undefined
  /** Wall clock, milliseconds since 1970. */
  readonly now: () => number
}

export class RedisEventStore<E extends DomainEvent> implements EventStore<E> {
  readonly #options: RedisEventStoreOptions<E>

  constructor(options: RedisEventStoreOptions<E>) {
    this.#options = options
  }

  async append(
    streamId: string,
    expectedVersion: number,
    events: readonly E[],
    metadata: EventMetadata,
    fence?: Fence,
  ): Promise<AppendResult<E>> {
    assert(STREAM_ID.test(streamId), `stream id ${streamId}`)
    assert(Number.isSafeInteger(expectedVersion) && expectedVersion >= 0, `expected version ${expectedVersion}`)
    assert(events.length <= APPEND_MAX_EVENTS, `${events.length} events in one append`)
    const { redis, keys, codec, routeOf, now } = this.#options
    const recordedAt = now()
    const answer = await appendEvents.run(
      redis,
      [keys.stream(streamId), keys.streams, keys.outbox, keys.lease(fence?.name ?? streamId)],
      [
        streamId,
        expectedVersion,
        randomUUID(),
        keys.appended,
        fence?.token ?? '',
        recordedAt,
        codec.schemaVersion,
        metadata.correlationId,
        metadata.causationId,
        ...events.flatMap((event) => [event.type, JSON.stringify(event.data), routeOf(event) ?? '']),
      ],
    )
    assert(Array.isArray(answer), 'append-events answers with a list')
    const [verdict, version]: readonly unknown[] = answer
    if (verdict === 'fenced') return { ok: false, code: 'fenced' }
    if (verdict === 'conflict') return { ok: false, code: 'versionConflict', actualVersion: Number(version) }
    assert(verdict === 'ok', 'append-events answers ok, conflict or fenced')
    const recorded = events.map((event, index): RecordedEvent<E> => {
      const eventVersion = expectedVersion + 1 + index
      return {
        id: eventIdOf(streamId, eventVersion),
        streamId,
        version: eventVersion,
        type: event.type,
        data: event.data,
        recordedAt,
        correlationId: metadata.correlationId,
        causationId: metadata.causationId,
        schema: codec.schemaVersion,
      }
    })
    return { ok: true, version: Number(version), events: recorded }
  }

  /** @throws UnreadableEventError */
  async read(streamId: string, fromVersion = 1, limit?: number): Promise<readonly RecordedEvent<E>[]> {
    const { redis, keys } = this.#options
    const key = keys.stream(streamId)
    const start = `${Math.max(fromVersion, 1)}-0`
    const entries =
      limit === undefined ? await redis.xrange(key, start, '+') : await redis.xrange(key, start, '+', 'COUNT', limit)
    return entries.map(([id, fields]) => this.#decode(streamId, id, fields))
  }

  async version(streamId: string): Promise<number> {
    const { redis, keys } = this.#options
    const entries = await redis.xrevrange(keys.stream(streamId), '+', '-', 'COUNT', 1)
    return versionOf(entries[0]?.[0] ?? '0-1')
  }

  /** @throws UnreadableEventError out of the iteration. */
  follow(streamId: string, fromVersion: number, signal: StopSignal): AsyncIterable<RecordedEvent<E>> {
    const source = {
      read: (from: number) => this.read(streamId, from, FOLLOW_BATCH_EVENTS),
      onWake: (wake: () => void) => this.#options.notifier.onAppended(streamId, wake),
    }
    return followFrom(source, fromVersion, signal)
  }

  async streamIds(): Promise<readonly string[]> {
    return await this.#options.redis.smembers(this.#options.keys.streams)
  }

  async delete(streamId: string): Promise<void> {
    const { redis, keys } = this.#options
    await deleteStream.run(redis, [keys.stream(streamId), keys.streams, keys.lease(streamId)], [streamId])
  }

  #decode(streamId: string, entryId: string, fields: readonly string[]): RecordedEvent<E> {
    const version = versionOf(entryId)
    const id = eventIdOf(streamId, version)
    const record = new Map<string, string>()
    for (let index = 0; index + 1 < fields.length; index += 2) record.set(fields[index] ?? '', fields[index + 1] ?? '')
    const schema = Number(record.get('schema'))
    const stored = { type: record.get('type') ?? '', data: parseJson(record.get('data') ?? ''), schema }
    const event = decodeEvent(this.#options.codec, id, stored)
    return {
      id,
      streamId,
      version,
      type: event.type,
      data: event.data,
      recordedAt: Number(record.get('at')),
      correlationId: record.get('correlation') ?? '',
      causationId: record.get('causation') ?? '',
      schema: this.#options.codec.schemaVersion,
    }
  }
}

const versionOf = (entryId: string): number => Number(entryId.split('-')[0])

/** Undefined for what is not JSON: the schema then refuses it. */
const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
