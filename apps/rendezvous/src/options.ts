/** Settings of a rendezvous: each with its default. Tests and operators change them; no flag is needed to run one. */
import { ROOM_CLOSED_TTL_MS, ROOM_IDLE_TTL_MS, ROOM_MAX_TTL_MS } from '@godwit/protocol/limits'

/** A token bucket per address: `burst` at once, then `perMinute`. */
export interface Rate {
  readonly burst: number
  readonly perMinute: number
}

export interface RendezvousOptions {
  /** Wall-clock milliseconds after the owner's last sign of life until an open room expires. */
  readonly roomIdleTtlMs: number
  /** Milliseconds of a room's whole life. */
  readonly roomMaxTtlMs: number
  /** Milliseconds that a closed room is kept for those who come late. */
  readonly roomClosedTtlMs: number
  readonly sweepIntervalMs: number
  /** Rooms at once, closed ones that are still kept included: about 1 KiB each without messages. */
  readonly roomsMax: number
  /** Streams of `rooms.watch` at once, in all and from one address (IPv4 address, IPv6 /64). */
  readonly watchersMax: number
  readonly watchersPerAddressMax: number
  /** TCP connections of one address at once, streams included; not counted behind a proxy, which makes all of them. */
  readonly connectionsPerAddressMax: number
  /** Open rooms of one address at once. */
  readonly roomsPerAddressMax: number
  /** Bytes that the stores may take: from four fifths on no room is opened or joined, above it no message is taken. */
  readonly memoryMaxBytes: number
  /** Whether rooms are opened for this machine's own processes only: a rendezvous that a node hosts for itself. */
  readonly opensForThisMachineOnly: boolean
  /** Milliseconds between pings of a stream, and without any after which a node reconnects. */
  readonly pingIntervalMs: number
  readonly inactivityMs: number
  /** Requests of any kind from one address a minute. */
  readonly requestsPerMinute: number
  readonly opens: Rate
  readonly joins: Rate
  /** Joins of one room, from anywhere: its line must not be filled by a crowd of addresses at once. */
  readonly joinsPerRoom: Rate
  /** Joins of one room from one address: one alone must not use up the room's joins. */
  readonly joinsPerRoomAndAddress: Rate
  /** Joins that named no open room: what trying out nameplates costs. */
  readonly failedJoins: Rate
  readonly posts: Rate
  /** Messages of one receiver in one room: it must not push the others' messages out. */
  readonly postsPerReceiver: Rate
  /** Datagrams answered to one address. */
  readonly observations: Rate
  /** Whether a reverse proxy in front tells the address of the client: the last one in X-Forwarded-For. */
  readonly trustsProxy: boolean
}

export const defaultOptions: RendezvousOptions = {
  roomIdleTtlMs: ROOM_IDLE_TTL_MS,
  roomMaxTtlMs: ROOM_MAX_TTL_MS,
  roomClosedTtlMs: ROOM_CLOSED_TTL_MS,
  sweepIntervalMs: 30_000,
  roomsMax: 100_000,
  watchersMax: 10_000,
  watchersPerAddressMax: 512,
  connectionsPerAddressMax: 1024,
  roomsPerAddressMax: 1000,
  memoryMaxBytes: 1024 ** 3,
  opensForThisMachineOnly: false,
  pingIntervalMs: 10_000,
  inactivityMs: 25_000,
  requestsPerMinute: 6000,
  opens: { burst: 120, perMinute: 60 },
  joins: { burst: 240, perMinute: 120 },
  joinsPerRoom: { burst: 200, perMinute: 120 },
  joinsPerRoomAndAddress: { burst: 64, perMinute: 30 },
  failedJoins: { burst: 60, perMinute: 6 },
  posts: { burst: 2000, perMinute: 2000 },
  postsPerReceiver: { burst: 32, perMinute: 60 },
  observations: { burst: 100, perMinute: 600 },
  trustsProxy: false,
}
