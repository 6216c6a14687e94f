/**
 * Rooms as states: folds a room's stream, keeps what was folded, and runs commands against it. Other processes on the
 * same store may append too: every command reads on from the version it knows and appends under an expected version.
 */
import { type RoomCommand, room } from '@godwit/engine/domain/room/room'
import { initialRoomState, type RoomState } from '@godwit/engine/domain/room/roomState'
import type { EventStore } from '@godwit/engine/ports/eventStore'
import { assert } from '@godwit/protocol/assert'
import { ok, type Result } from '@godwit/protocol/errors'
import type { RecordedEvent } from '@godwit/protocol/events'
import { type RoomEvent, roomEventSchema } from '@godwit/protocol/roomEvents'
import type { RoomBell } from '../stores/roomBell.js'

export interface VersionedRoom {
  /** Version of the last event folded; 0 for a room that was never opened. */
  readonly version: number
  readonly state: RoomState
}

/** Rooms whose state is kept in memory; others are folded anew when they are asked for. */
const CACHED_ROOMS_MAX = 10_000
/** Lost races of one command against other processes, after which something else must be wrong. */
const RACES_MAX = 100

const emptyRoom: VersionedRoom = { version: 0, state: initialRoomState }

export class RoomRepository {
  readonly #events: EventStore<RoomEvent>
  readonly #bell: RoomBell
  readonly #cache = new Map<string, VersionedRoom>()
  readonly #tails = new Map<string, Promise<unknown>>()

  constructor(events: EventStore<RoomEvent>, bell: RoomBell) {
    this.#events = events
    this.#bell = bell
  }

  /** The room as its stream has it now. */
  async load(roomId: string): Promise<VersionedRoom> {
    const known = this.#cache.get(roomId) ?? emptyRoom
    const recorded = await this.#events.read(roomId, known.version + 1)
    if (recorded.length > 0 || known.version === 0) return this.#fold(roomId, known, recorded)
    // Nothing new: but a stream that was deleted elsewhere has nothing new either.
    if ((await this.#events.version(roomId)) >= known.version) return known
    this.#cache.delete(roomId)
    return emptyRoom
  }

  /** Events of a room from a version on. */
  async eventsFrom(roomId: string, fromVersion: number): Promise<readonly { version: number; event: RoomEvent }[]> {
    const recorded = await this.#events.read(roomId, fromVersion)
    return recorded.map((one) => ({ version: one.version, event: domainEventOf(one) }))
  }

  /** Decides and appends. The room as it stands afterwards, or the rejection. Commands to one room run one by one. */
  execute(roomId: string, command: RoomCommand): Promise<Result<VersionedRoom>> {
    const run = (this.#tails.get(roomId) ?? Promise.resolve()).then(() => this.#execute(roomId, command))
    const tail = run.catch(() => undefined)
    this.#tails.set(roomId, tail)
    void tail.then(() => {
      if (this.#tails.get(roomId) === tail) this.#tails.delete(roomId)
    })
    return run
  }

  /** Forgets a room and its stream. */
  async delete(roomId: string): Promise<void> {
    await this.#events.delete(roomId)
    this.#cache.delete(roomId)
    this.#bell.ring(roomId)
  }

  async #execute(roomId: string, command: RoomCommand): Promise<Result<VersionedRoom>> {
    for (let race = 0; race < RACES_MAX; race += 1) {
      const known = await this.load(roomId)
      const decision = room.decide(command, known.state)
      if (!decision.ok) return decision
      if (decision.events.length === 0) return ok(known)
      const id = `${roomId}-${known.version + 1}-${command.type}`
      const appended = await this.#events.append(roomId, known.version, decision.events, {
        correlationId: id,
        causationId: id,
      })
      if (appended.ok) {
        const next = this.#fold(roomId, known, appended.events)
        this.#bell.ring(roomId)
        return ok(next)
      }
      assert(appended.code === 'versionConflict', 'an append without a fence is not fenced off')
    }
    assert(false, 'a command lost every race')
  }

  #fold(roomId: string, known: VersionedRoom, recorded: readonly RecordedEvent<RoomEvent>[]): VersionedRoom {
    let next = known
    for (const one of recorded) {
      assert(one.version === next.version + 1, 'a stream has no gap')
      next = { version: one.version, state: room.evolve(next.state, domainEventOf(one)) }
    }
    // Another request may have folded further meanwhile.
    const cached = this.#cache.get(roomId)
    if (next.version > 0 && (cached === undefined || cached.version <= next.version)) {
      this.#cache.delete(roomId)
      this.#cache.set(roomId, next)
      if (this.#cache.size > CACHED_ROOMS_MAX) {
        const [oldest] = this.#cache.keys()
        if (oldest !== undefined) this.#cache.delete(oldest)
      }
    }
    return next
  }
}

/** An event of the log is read as strictly as one from outside: an old shape must be brought forward, not guessed. */
const domainEventOf = ({ type, data }: RecordedEvent<RoomEvent>): RoomEvent => roomEventSchema.parse({ type, data })
