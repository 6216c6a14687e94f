/**
 * What a rendezvous does with rooms, without any HTTP: the router is a thin skin over it. Whoever names a room that is
 * not there and whoever brings a token that does not fit get the same answer, ERR_ROOM_NOT_FOUND.
 */
import { randomInt } from 'node:crypto'
import { type KnownRoom, receiverOfToken } from '@godwit/engine/domain/room/roomState'
import { fail, ok, type Result } from '@godwit/protocol/errors'
import { NAMEPLATE_MAX } from '@godwit/protocol/limits'
import type { RoomCommandInput } from '@godwit/protocol/rendezvousApi'
import { areHashesEqual, hashOfToken, receiverIdOf, roomIdOf } from '../identifiers.js'
import type { RendezvousOptions } from '../options.js'
import type { Mailbox } from '../stores/mailbox.js'
import type { RoomBell } from '../stores/roomBell.js'
import type { RoomDirectory } from '../stores/roomDirectory.js'
import type { OpenRooms } from './openRooms.js'
import type { RoomRepository } from './roomRepository.js'

export interface OpenedRoom {
  readonly roomId: string
  readonly nameplate: string
  /** Wall clock, milliseconds. */
  readonly expiresAt: number
}

/** Whom a token stands for in a room. */
export type Member = { readonly kind: 'owner' } | { readonly kind: 'receiver'; readonly receiver: string }

export interface AuthorizedRoom {
  readonly version: number
  readonly room: KnownRoom
  readonly member: Member
}

export interface RoomServiceDeps {
  readonly rooms: RoomRepository
  readonly directory: RoomDirectory
  readonly mailbox: Mailbox
  readonly bell: RoomBell
  readonly openRooms: OpenRooms
  readonly options: RendezvousOptions
  /** Wall clock, milliseconds. */
  readonly now: () => number
}

/** Random nameplates tried before giving up: with 100,000 rooms one try in ten meets a taken one. */
const NAMEPLATE_TRIES_MAX = 64
/** Milliseconds between two notes of an owner's sign of life: a note is a write. */
const NOTE_INTERVAL_MS = 60_000
/** The part of the memory from which on nobody new is taken in. */
const NEARLY_FULL = 0.8

export class RoomService {
  readonly #deps: RoomServiceDeps
  readonly #notedAt = new Map<string, number>()
  /** The part of the memory that the stores take, as it was measured last. */
  #fullness = 0

  constructor(deps: RoomServiceDeps) {
    this.#deps = deps
  }

  /** How often an owner that only watches has to be noted. */
  get noteIntervalMs(): number {
    return Math.max(1, Math.min(NOTE_INTERVAL_MS, Math.floor(this.#deps.options.roomIdleTtlMs / 4)))
  }

  /** How many bytes the stores take now: to be measured again and again. */
  noteMemory(usedBytes: number): void {
    this.#fullness = usedBytes / this.#deps.options.memoryMaxBytes
  }

  /**
   * Opens the room of this token, or finds it open. `mayOpen` is asked for a room that is not there yet.
   * ERR_ROOM_NAME_TAKEN, ERR_ROOM_CLOSED, ERR_RENDEZVOUS_REFUSED.
   */
  async open(
    token: string,
    input: {
      readonly capacity: number
      readonly name?: string | undefined
      readonly nameplate?: string | undefined
      readonly guessesMax: number
    },
    mayOpen: (roomId: string) => boolean,
  ): Promise<Result<OpenedRoom>> {
    const { rooms, directory, options, now, openRooms } = this.#deps
    const ownerTokenHash = hashOfToken(token)
    const roomId = roomIdOf(ownerTokenHash)
    const known = await rooms.load(roomId)
    if (known.state.status === 'closed') return fail('ERR_ROOM_CLOSED')
    if (known.state.status !== 'none') {
      await this.#noteOwner(roomId, known.state.expiresAt)
      return ok(openedRoom(roomId, known.state))
    }
    if (this.#fullness >= NEARLY_FULL) return fail('ERR_RENDEZVOUS_REFUSED')
    if ((await directory.count()) >= options.roomsMax) return fail('ERR_RENDEZVOUS_REFUSED')
    if (!mayOpen(roomId)) return fail('ERR_RENDEZVOUS_REFUSED')
    const expiresAt = now() + options.roomMaxTtlMs
    // On the sweep's list first: whatever fails from here on, the sweep finds it.
    await this.#noteOwner(roomId, expiresAt)
    const nameplate = await this.#claimNameplate(roomId, input.name, input.nameplate)
    if (nameplate === undefined) {
      await directory.unschedule(roomId)
      this.#notedAt.delete(roomId)
      openRooms.leave(roomId)
      return fail(input.name === undefined ? 'ERR_RENDEZVOUS_REFUSED' : 'ERR_ROOM_NAME_TAKEN')
    }
    const { capacity, guessesMax } = input
    const opened = await rooms.execute(roomId, {
      type: 'open',
      nameplate,
      capacity,
      ownerTokenHash,
      guessesMax,
      expiresAt,
    })
    if (!opened.ok) return opened
    if (opened.value.state.status === 'none') return fail('ERR_ROOM_NOT_FOUND')
    // The same token opened it at the same time with another nameplate: that one stands.
    if (opened.value.state.nameplate !== nameplate) await directory.release(nameplateKey(nameplate), roomId)
    return ok(openedRoom(roomId, opened.value.state))
  }

  /**
   * `mayJoin` is asked for the room where the token is new to it. ERR_ROOM_NOT_FOUND, ERR_ROOM_CLOSED, ERR_ROOM_LOCKED, ERR_ROOM_LINE_FULL,
   * ERR_RENDEZVOUS_REFUSED.
   */
  async join(
    token: string,
    nameplate: string,
    mayJoin: (roomId: string) => boolean,
  ): Promise<Result<{ roomId: string; receiver: string }>> {
    const { rooms, directory } = this.#deps
    const roomId = await directory.lookUp(nameplateKey(nameplate))
    if (roomId === undefined) return fail('ERR_ROOM_NOT_FOUND')
    const tokenHash = hashOfToken(token)
    // An owner's token in its own room would make it two members at once.
    if (roomIdOf(tokenHash) === roomId) return fail('ERR_ROOM_NOT_FOUND')
    const { state } = await rooms.load(roomId)
    const isNew = state.status === 'none' || receiverOfToken(state, tokenHash) === undefined
    if (isNew && (this.#fullness >= NEARLY_FULL || !mayJoin(roomId))) return fail('ERR_RENDEZVOUS_REFUSED')
    const receiver = receiverIdOf(roomId, tokenHash)
    const joined = await rooms.execute(roomId, { type: 'join', receiver, tokenHash })
    return joined.ok ? ok({ roomId, receiver }) : joined
  }

  /** Runs an owner's command. Resolves with the room's version afterwards. */
  async command(token: string, { roomId, command }: RoomCommandInput): Promise<Result<{ roomVersion: number }>> {
    const authorized = await this.authorize(token, roomId)
    if (!authorized.ok) return authorized
    if (authorized.value.member.kind !== 'owner') return fail('ERR_ROOM_NOT_FOUND')
    const done = await this.#deps.rooms.execute(roomId, command)
    if (!done.ok) return done
    if (done.value.state.status === 'closed') await this.#retire(roomId, authorized.value.room)
    else await this.#noteOwner(roomId, authorized.value.room.expiresAt)
    return ok({ roomVersion: done.value.version })
  }

  /** Takes the receiver of this token out of the room. */
  async leave(token: string, roomId: string): Promise<Result<{ roomVersion: number }>> {
    const authorized = await this.authorize(token, roomId)
    if (!authorized.ok) return authorized
    const { member } = authorized.value
    if (member.kind !== 'receiver') return fail('ERR_ROOM_NOT_FOUND')
    const done = await this.#deps.rooms.execute(roomId, { type: 'leave', receiver: member.receiver })
    return done.ok ? ok({ roomVersion: done.value.version }) : done
  }

  /**
   * Leaves a message in the room's mailbox. @param to - the receiver when the owner posts; a receiver's message goes to
   * the owner. `mayPost` is asked for a receiver. ERR_ROOM_NOT_FOUND also for a receiver that has left.
   */
  async post(
    token: string,
    input: { readonly roomId: string; readonly to?: string | undefined; readonly body: string },
    mayPost: (receiver: string) => boolean,
  ): Promise<Result<{ roomVersion: number }>> {
    const { mailbox, bell } = this.#deps
    const { roomId, to, body } = input
    const authorized = await this.authorize(token, roomId)
    if (!authorized.ok) return authorized
    const { room, member, version } = authorized.value
    if (room.status === 'closed') return fail('ERR_ROOM_CLOSED')
    if (this.#fullness >= 1) return fail('ERR_RENDEZVOUS_REFUSED')
    if (member.kind === 'receiver') {
      if (to !== undefined) return fail('ERR_USAGE')
      if (!room.members.has(member.receiver)) return fail('ERR_ROOM_NOT_FOUND')
      if (!mayPost(member.receiver)) return fail('ERR_RENDEZVOUS_REFUSED')
      await mailbox.append(roomId, { from: member.receiver, to: 'owner', body, afterVersion: version }, room.expiresAt)
    } else {
      if (to === undefined) return fail('ERR_USAGE')
      const isKnown = room.members.has(to) || room.departed.some((departed) => departed.receiver === to)
      if (!isKnown) return fail('ERR_ROOM_NOT_FOUND')
      await mailbox.append(roomId, { from: 'owner', to, body, afterVersion: version }, room.expiresAt)
      await this.#noteOwner(roomId, room.expiresAt)
    }
    bell.ring(roomId)
    return ok({ roomVersion: version })
  }

  /** The room and whom `token` stands for in it; ERR_ROOM_NOT_FOUND where either does not exist. */
  async authorize(token: string, roomId: string): Promise<Result<AuthorizedRoom>> {
    const { version, state } = await this.#deps.rooms.load(roomId)
    if (state.status === 'none') return fail('ERR_ROOM_NOT_FOUND')
    const tokenHash = hashOfToken(token)
    if (areHashesEqual(state.ownerTokenHash, tokenHash)) return ok({ version, room: state, member: { kind: 'owner' } })
    const receiver = receiverOfToken(state, tokenHash)
    if (receiver === undefined) return fail('ERR_ROOM_NOT_FOUND')
    return ok({ version, room: state, member: { kind: 'receiver', receiver } })
  }

  /** Notes that the owner of an open room lives, at most once an interval. */
  async noteOwner(roomId: string): Promise<void> {
    const { state } = await this.#deps.rooms.load(roomId)
    if (state.status === 'open' || state.status === 'locked') await this.#noteOwner(roomId, state.expiresAt)
  }

  /**
   * Closes rooms whose time is over and forgets closed ones that were kept long enough. @returns how many it handled;
   * at most `limit`.
   */
  async sweep(limit: number): Promise<number> {
    const { rooms, directory, mailbox, now } = this.#deps
    const due = await directory.due(now(), limit)
    for (const roomId of due) {
      const { state } = await rooms.load(roomId)
      if (state.status === 'open' || state.status === 'locked') {
        await rooms.execute(roomId, { type: 'expire' })
        await this.#retire(roomId, state)
        continue
      }
      if (state.status === 'closed') await directory.release(nameplateKey(state.nameplate), roomId)
      await mailbox.delete(roomId)
      await rooms.delete(roomId)
      await directory.unschedule(roomId)
    }
    return due.length
  }

  /** A closed room stays for a while, so that whoever comes late is told that it was closed. */
  async #retire(roomId: string, before: KnownRoom): Promise<void> {
    if (before.status === 'closed') return
    this.#notedAt.delete(roomId)
    this.#deps.openRooms.leave(roomId)
    await this.#deps.directory.schedule(roomId, this.#deps.now() + this.#deps.options.roomClosedTtlMs)
  }

  async #noteOwner(roomId: string, expiresAt: number): Promise<void> {
    const now = this.#deps.now()
    const notedAt = this.#notedAt.get(roomId)
    if (notedAt !== undefined && now >= notedAt && now - notedAt < this.noteIntervalMs) return
    this.#notedAt.set(roomId, now)
    if (this.#notedAt.size > this.#deps.options.roomsMax) this.#notedAt.clear()
    await this.#deps.directory.schedule(roomId, Math.min(expiresAt, now + this.#deps.options.roomIdleTtlMs))
  }

  /** A nameplate that leads to this room; undefined where a name is taken or no number was free. */
  async #claimNameplate(
    roomId: string,
    name: string | undefined,
    before: string | undefined,
  ): Promise<string | undefined> {
    const { directory, options } = this.#deps
    const ttlMs = options.roomMaxTtlMs + options.roomClosedTtlMs
    if (name === undefined) {
      for (let tries = 0; tries < NAMEPLATE_TRIES_MAX; tries += 1) {
        const drawn = String(randomInt(1, NAMEPLATE_MAX + 1))
        const nameplate = tries === 0 ? (before ?? drawn) : drawn
        if ((await directory.claim(nameplate, roomId, ttlMs)) === roomId) return nameplate
      }
      return undefined
    }
    const key = nameplateKey(name)
    const holder = await directory.claim(key, roomId, ttlMs)
    if (holder === roomId) return name
    // A name whose room is over can be used again at once.
    const { state } = await this.#deps.rooms.load(holder)
    if (state.status === 'open' || state.status === 'locked') return undefined
    return (await directory.replace(key, holder, roomId, ttlMs)) ? name : undefined
  }
}

/** Names that look alike lead to one room: composed form, case folded. */
const nameplateKey = (nameplate: string): string => nameplate.normalize('NFKC').toLowerCase()

const openedRoom = (roomId: string, room: KnownRoom): OpenedRoom => ({
  roomId,
  nameplate: room.nameplate,
  expiresAt: room.expiresAt,
})
