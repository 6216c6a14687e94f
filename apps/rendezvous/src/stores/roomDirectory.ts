/**
 * Where nameplates lead, and when each room is due for the sweep. Beside the rooms' event streams this is all that a
 * rendezvous keeps about a room. Implemented on Redis and in memory; both pass `storesContract`.
 */
export interface RoomDirectory {
  /**
   * Maps a nameplate to a room unless it leads elsewhere. @returns the room that it leads to now: `roomId` when claimed
   * (or claimed before). The mapping ends by itself after `ttlMs`.
   */
  claim(nameplate: string, roomId: string, ttlMs: number): Promise<string>
  /** Maps a nameplate to `roomId` if it still leads to `previous`; false where it does not. */
  replace(nameplate: string, previous: string, roomId: string, ttlMs: number): Promise<boolean>
  lookUp(nameplate: string): Promise<string | undefined>
  /** Frees a nameplate if it leads to `roomId`. */
  release(nameplate: string, roomId: string): Promise<void>
  /** Puts a room on the sweep's list or moves it there. @param dueAt - wall clock, milliseconds. */
  schedule(roomId: string, dueAt: number): Promise<void>
  unschedule(roomId: string): Promise<void>
  /** At most `limit` rooms that are due, the longest due first. */
  due(now: number, limit: number): Promise<readonly string[]>
  /** Rooms on the list, closed ones that are still kept included. */
  count(): Promise<number>
}
