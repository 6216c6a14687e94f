/**
 * A rendezvous in memory for tests of runs: the production room decider, one feed per room, no HTTP and no time. It can
 * be out of reach and can lose all its rooms.
 */
import { decideRoom, type RoomCommand } from '@godwit/engine/domain/room/room'
import { evolveRoom, initialRoomState, type KnownRoom, type RoomState } from '@godwit/engine/domain/room/roomState'
import { assert } from '@godwit/protocol/assert'
import { fail, ok, type Result } from '@godwit/protocol/errors'
import type { RoomFeedItem } from '@godwit/protocol/rendezvousApi'
import type { RoomEvent } from '@godwit/protocol/roomEvents'
import type { WatchedItem } from '../../rendezvous/roomWatch.js'
import type { Rendezvous } from '../runContext.js'

type Entry =
  | { readonly kind: 'event'; readonly roomVersion: number; readonly event: RoomEvent }
  | {
      readonly kind: 'message'
      readonly messageNumber: number
      readonly from: string
      readonly to: string
      readonly body: string
    }

/** What was read of a feed. */
interface Position {
  readonly version: number
  readonly messages: number
}

const isBehind = (entry: Entry, position: Position): boolean =>
  entry.kind === 'event' ? entry.roomVersion > position.version : entry.messageNumber > position.messages

class MemoryRoom {
  state: RoomState = initialRoomState
  version = 0
  readonly feed: Entry[] = []

  execute(command: RoomCommand): Result<number> {
    const decision = decideRoom(command, this.state)
    if (!decision.ok) return decision
    for (const event of decision.events) {
      this.state = evolveRoom(this.state, event)
      this.version += 1
      this.feed.push({ kind: 'event', roomVersion: this.version, event })
    }
    return ok(this.version)
  }
}

/** Never: what a process that was killed waits for. */
const never = <T>(): Promise<T> => new Promise(() => {})

export class MemoryRooms {
  readonly #rooms = new Map<string, MemoryRoom>()
  readonly #plates = new Map<string, string>()
  readonly #wakes = new Set<() => void>()
  #nextPlate = 100
  #isReachable = true
  /** Calls of `open` so far, answered or not. */
  openings = 0
  /** Questions for a socket's address so far. */
  questions = 0
  /** Those that are answered at once: all of them, until they are held back. */
  #answered = Number.POSITIVE_INFINITY

  /** While false every call fails with ERR_RENDEZVOUS_UNREACHABLE and streams stand still. */
  set isReachable(isReachable: boolean) {
    this.#isReachable = isReachable
    this.#wake()
  }

  /** From now on nobody is told how its socket is seen from outside until `answer`. */
  holdQuestions(): void {
    this.#answered = this.questions
  }

  /** Answers those that were asked so far. */
  answer(): void {
    this.#answered = this.questions
    this.#wake()
  }

  /** Waits until so many questions for an address were asked. */
  async asked(count: number): Promise<void> {
    while (this.questions < count) await this.changed()
  }

  /** Bodies of all messages to the owner of the only room. */
  get messagesToOwner(): readonly Uint8Array[] {
    const [room] = this.#rooms.values()
    return (room?.feed ?? []).flatMap((entry) =>
      entry.kind === 'message' && entry.to === 'owner' ? [new Uint8Array(Buffer.from(entry.body, 'base64'))] : [],
    )
  }

  /** Forgets everything, as a rendezvous does whose Redis was emptied. */
  lose(): void {
    this.#rooms.clear()
    this.#plates.clear()
    this.#wake()
  }

  /** The state of the only room. */
  get room(): KnownRoom {
    const [room] = this.#rooms.values()
    assert(room !== undefined && room.state.status !== 'none', 'a room was opened')
    return room.state
  }

  get openRooms(): number {
    return [...this.#rooms.values()].filter(({ state }) => state.status === 'open' || state.status === 'locked').length
  }

  /** Waits until the only room is closed. */
  async closed(): Promise<void> {
    while ([...this.#rooms.values()].some(({ state }) => state.status !== 'closed')) await this.changed()
  }

  /** Waits until `open` was called so many times. */
  async opened(count: number): Promise<void> {
    while (this.openings < count) await this.changed()
  }

  /** A command that somebody else of the owner's gives; for what a test wants to happen. */
  command(command: RoomCommand): void {
    for (const room of this.#rooms.values()) room.execute(command)
    this.#wake()
  }

  /** The client of one node. @param isAlive - a dead node's calls are never answered. */
  client(url: string, isAlive: () => boolean): Rendezvous {
    const call = async <T>(act: () => Result<T>): Promise<Result<T>> => {
      await Promise.resolve()
      if (!isAlive()) return never()
      if (!this.#isReachable) return fail('ERR_RENDEZVOUS_UNREACHABLE')
      const result = act()
      this.#wake()
      return result
    }
    return {
      url,
      open: (token, { capacity, name, guessesMax = 20 }) => {
        this.openings += 1
        this.#wake()
        return call(() => {
          const roomId = roomIdOf(token)
          const room = this.#rooms.get(roomId) ?? new MemoryRoom()
          if (room.state.status === 'closed') return fail('ERR_ROOM_CLOSED')
          this.#rooms.set(roomId, room)
          const known = room.state.status === 'none' ? undefined : room.state.nameplate
          const nameplate = known ?? name ?? String(this.#nextPlate++)
          this.#plates.set(nameplate, roomId)
          const expiresAt = Number.MAX_SAFE_INTEGER
          room.execute({ type: 'open', nameplate, capacity, guessesMax, ownerTokenHash: token, expiresAt })
          return ok({ roomId, nameplate, expiresAt })
        })
      },
      join: (token, nameplate) =>
        call(() => {
          const roomId = this.#plates.get(nameplate)
          const room = roomId === undefined ? undefined : this.#rooms.get(roomId)
          if (roomId === undefined || room === undefined) return fail('ERR_ROOM_NOT_FOUND')
          const receiver = receiverOf(token)
          const joined = room.execute({ type: 'join', receiver, tokenHash: token })
          return joined.ok ? ok({ roomId, receiver }) : joined
        }),
      command: (_token, roomId, command) => call(() => versionOf(this.#rooms.get(roomId)?.execute(command))),
      leave: (token, roomId) =>
        call(() => versionOf(this.#rooms.get(roomId)?.execute({ type: 'leave', receiver: receiverOf(token) }))),
      post: (token, roomId, body, to) => call(() => this.#post(token, roomId, body, to)),
      watch: (roomId, token, cursor, signal) => this.#watch(roomId, token, cursor, signal, isAlive),
      addressQuestion: async () => {
        this.questions += 1
        const question = this.questions
        this.#wake()
        while (question > this.#answered) await this.changed()
        return fail('ERR_RENDEZVOUS_UNREACHABLE')
      },
    }
  }

  #post(token: string, roomId: string, body: Uint8Array, to: string | undefined): Result<{ roomVersion: number }> {
    const room = this.#rooms.get(roomId)
    if (room === undefined || room.state.status === 'none') return fail('ERR_ROOM_NOT_FOUND')
    if (room.state.status === 'closed') return fail('ERR_ROOM_CLOSED')
    const isOwner = room.state.ownerTokenHash === token
    if (!isOwner && !room.state.members.has(receiverOf(token))) return fail('ERR_ROOM_NOT_FOUND')
    const from = isOwner ? 'owner' : receiverOf(token)
    const messageNumber = room.feed.filter(({ kind }) => kind === 'message').length + 1
    const sent = { from, to: to ?? 'owner', body: Buffer.from(body).toString('base64') }
    room.feed.push({ kind: 'message', messageNumber, ...sent })
    return ok({ roomVersion: room.version })
  }

  async *#watch(
    roomId: string,
    token: string,
    cursor: string | undefined,
    signal: AbortSignal,
    isAlive: () => boolean,
  ): AsyncGenerator<Result<WatchedItem>, void, undefined> {
    const stop = (): void => this.#wake()
    signal.addEventListener('abort', stop)
    try {
      // As a real one: behind which event and which message.
      const [version = 0, messages = 0] = (cursor ?? '').split('_').map(Number)
      let behind: Position = { version, messages }
      let next = 0
      while (!signal.aborted) {
        if (!isAlive()) return
        const room = this.#rooms.get(roomId)
        if (this.#isReachable && (room === undefined || behind.version > room.version)) {
          yield fail('ERR_ROOM_NOT_FOUND')
          return
        }
        const entry = this.#isReachable ? room?.feed[next] : undefined
        if (room === undefined || entry === undefined) {
          if (this.#isReachable && room?.state.status === 'closed') return
          await this.changed()
          continue
        }
        const item = itemFor(entry, room.state.status !== 'none' && room.state.ownerTokenHash === token, token)
        next += 1
        if (!isBehind(entry, behind)) continue
        behind =
          entry.kind === 'event'
            ? { ...behind, version: entry.roomVersion }
            : { ...behind, messages: entry.messageNumber }
        if (item !== undefined) yield ok({ cursor: `${behind.version}_${behind.messages}`, item })
      }
    } finally {
      signal.removeEventListener('abort', stop)
    }
  }

  #wake(): void {
    for (const wake of this.#wakes) wake()
    this.#wakes.clear()
  }

  /** Resolves after the next call or message. */
  changed(): Promise<void> {
    return new Promise((resolve) => this.#wakes.add(resolve))
  }
}

const roomIdOf = (token: string): string => `rm${shortOf(token)}`
const receiverOf = (token: string): string => `rc${shortOf(token)}`

/** As the ids of a rendezvous look. */
const shortOf = (token: string): string =>
  token
    .toLowerCase()
    .replace(/[^a-z2-7]/g, 'a')
    .slice(0, 16)

const versionOf = (done: Result<number> | undefined): Result<{ roomVersion: number }> => {
  if (done === undefined) return fail('ERR_ROOM_NOT_FOUND')
  return done.ok ? ok({ roomVersion: done.value }) : done
}

const itemFor = (entry: Entry, isOwner: boolean, token: string): RoomFeedItem | undefined => {
  const own = receiverOf(token)
  if (entry.kind === 'message') {
    const { from, to, body } = entry
    return to === (isOwner ? 'owner' : own) ? { kind: 'message', from: from as 'owner', body } : undefined
  }
  const { event } = entry
  const isForAll = event.type === 'RoomLocked' || event.type === 'RoomClosed'
  const isOwn = 'receiver' in event.data && event.data.receiver === own
  return isOwner || isForAll || isOwn ? entry : undefined
}
