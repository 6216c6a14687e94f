/**
 * A node's client of one rendezvous. Every call answers within its time with a value or a failure; it is made once, so
 * the caller decides about retries: all calls but `post` may be repeated freely.
 */
import { lookup } from 'node:dns/promises'
import { type Failure, fail, ok, type Result } from '@godwit/protocol/errors'
import { NAMEPLATE_MAX } from '@godwit/protocol/limits'
import {
  joinRoomOutput,
  observeTokenOutput,
  openRoomOutput,
  type RoomCommandInput,
  roomVersionOutput,
  serverInfoOutput,
} from '@godwit/protocol/rendezvousApi'
import type { z } from 'zod'
import { clientFailureOf } from './clientFailure.js'
import { connectRpc, type RendezvousRpc } from './connection.js'
import { type AddressQuestion, addressQuestion, type ObservationTarget } from './observation.js'
import { type WatchedItem, watchRoom } from './roomWatch.js'

export interface RendezvousClientOptions {
  /** `http(s)://host[:port]`. */
  readonly url: string
  /** Milliseconds that one call may take. */
  readonly timeoutMs?: number
  /** 0 ≤ x < 1: spreads retries. */
  readonly random?: () => number
}

export type OpenedRoom = z.infer<typeof openRoomOutput>
export type JoinedRoom = z.infer<typeof joinRoomOutput>
export type ServerInfo = z.infer<typeof serverInfoOutput>
export type RoomVersion = z.infer<typeof roomVersionOutput>

const CALL_TIMEOUT_MS = 10_000

/** What a rendezvous gives out by itself: 1 … NAMEPLATE_MAX. */
const isNumber = (nameplate: string): boolean =>
  /^[1-9][0-9]{0,8}$/.test(nameplate) && Number(nameplate) <= NAMEPLATE_MAX

export class RendezvousClient {
  readonly url: string
  /** `host:port`, as messages name it. */
  readonly host: string
  readonly #rpc: RendezvousRpc
  readonly #timeoutMs: number
  readonly #random: () => number

  constructor(options: RendezvousClientOptions) {
    this.url = options.url
    this.host = new URL(options.url).host
    this.#rpc = connectRpc(options.url)
    this.#timeoutMs = options.timeoutMs ?? CALL_TIMEOUT_MS
    this.#random = options.random ?? Math.random
  }

  /** Opens the room of `token`, or finds it open. ERR_ROOM_NAME_TAKEN, ERR_ROOM_CLOSED, ERR_RENDEZVOUS_*. */
  async open(
    token: string,
    input: {
      readonly capacity: number
      readonly name?: string
      /** Of a room without a name that the rendezvous may have lost: what its code says. */
      readonly nameplate?: string
      readonly guessesMax?: number
    },
  ): Promise<Result<OpenedRoom>> {
    const opened = await this.#call(openRoomOutput, (signal) =>
      this.#rpc.rooms.open.mutate({ ...input }, { context: { token }, signal }),
    )
    if (!opened.ok) return opened
    const { nameplate } = opened.value
    const isAsAsked = input.name === undefined ? isNumber(nameplate) : nameplate === input.name
    // A code is made of it: one of another kind leads nowhere, or elsewhere.
    return isAsAsked ? opened : fail('ERR_RENDEZVOUS_UNREACHABLE', this.host)
  }

  /** ERR_ROOM_NOT_FOUND, ERR_ROOM_CLOSED, ERR_ROOM_LOCKED, ERR_ROOM_LINE_FULL, ERR_RENDEZVOUS_*. */
  join(token: string, nameplate: string): Promise<Result<JoinedRoom>> {
    return this.#call(joinRoomOutput, (signal) =>
      this.#rpc.rooms.join.mutate({ nameplate }, { context: { token }, signal }),
    )
  }

  /** An owner's command; it has taken effect when its event comes. ERR_ROOM_LINE_FULL: no slot is free to admit into. */
  command(token: string, roomId: string, command: RoomCommandInput['command']): Promise<Result<RoomVersion>> {
    return this.#call(roomVersionOutput, (signal) =>
      this.#rpc.rooms.command.mutate({ roomId, command }, { context: { token }, signal }),
    )
  }

  /** Takes the receiver of `token` out of the room. */
  leave(token: string, roomId: string): Promise<Result<RoomVersion>> {
    return this.#call(roomVersionOutput, (signal) =>
      this.#rpc.rooms.leave.mutate({ roomId }, { context: { token }, signal }),
    )
  }

  /**
   * Leaves a message. @param body - at most MAILBOX_MESSAGE_MAX_BYTES. @param to - the receiver when the owner posts;
   * undefined for a receiver, whose messages go to the owner. Repeated after a lost answer it may arrive twice.
   */
  post(token: string, roomId: string, body: Uint8Array, to?: string): Promise<Result<RoomVersion>> {
    const text = Buffer.from(body).toString('base64')
    const input = to === undefined ? { roomId, body: text } : { roomId, body: text, to }
    return this.#call(roomVersionOutput, (signal) => this.#rpc.rooms.post.mutate(input, { context: { token }, signal }))
  }

  /**
   * The room's events and the messages to the holder of `token`, from behind `lastEventId` on (undefined: from the
   * beginning; events already from behind `afterEvent` on, where that is earlier). Connects again by itself for as long
   * as it takes; see `watchRoom`.
   */
  watch(
    roomId: string,
    token: string,
    lastEventId: string | undefined,
    signal: AbortSignal,
    onConnection?: (failure: Failure | undefined) => void,
    afterEvent?: number,
  ): AsyncIterable<Result<WatchedItem>> {
    return watchRoom({
      rpc: this.#rpc,
      host: this.host,
      roomId,
      token,
      lastEventId,
      signal,
      random: this.#random,
      ...(onConnection === undefined ? {} : { onConnection }),
      ...(afterEvent === undefined ? {} : { afterEvent }),
    })
  }

  info(): Promise<Result<ServerInfo>> {
    return this.#call(serverInfoOutput, (signal) => this.#rpc.server.info.query(undefined, { signal }))
  }

  /** A question for the address of a socket as seen from outside; ask it with `askForAddress` or by hand, within a minute. */
  async addressQuestion(): Promise<Result<AddressQuestion>> {
    const [info, token] = await Promise.all([
      this.info(),
      this.#call(observeTokenOutput, (signal) => this.#rpc.server.observeToken.mutate(undefined, { signal })),
    ])
    if (!info.ok) return info
    if (!token.ok) return token
    const hostname = new URL(this.url).hostname.replace(/^\[|\]$/g, '')
    try {
      const targets = (await lookup(hostname, { all: true })).map(
        ({ address, family }): ObservationTarget => ({
          ip: address,
          family: family === 6 ? 'ipv6' : 'ipv4',
          port: info.value.udpPort,
        }),
      )
      return ok(addressQuestion(Buffer.from(token.value.token, 'base64url'), targets))
    } catch {
      return fail('ERR_RENDEZVOUS_UNREACHABLE', this.host)
    }
  }

  /** What answers is not trusted: an answer of another shape is as good as none. */
  async #call<S extends z.ZodType>(
    output: S,
    call: (signal: AbortSignal) => Promise<unknown>,
  ): Promise<Result<z.infer<S>>> {
    try {
      const parsed = output.safeParse(await call(AbortSignal.timeout(this.#timeoutMs)))
      return parsed.success ? ok(parsed.data) : fail('ERR_RENDEZVOUS_UNREACHABLE', this.host)
    } catch (error) {
      return { ok: false, failure: clientFailureOf(error, this.host) }
    }
  }
}
