/** The names of our keys, all under one prefix and beside BullMQ's (`<prefix>:<queue>:…`). */
export interface LogKeys {
  readonly stream: (streamId: string) => string
  readonly streams: string
  readonly outbox: string
  readonly appended: string
  readonly lease: (name: string) => string
  readonly leaseTokens: string
  readonly projections: (name: string) => string
  readonly life: string
}

export const logKeys = (prefix: string): LogKeys => ({
  /** The events of one transfer or room. */
  stream: (streamId) => `${prefix}:log:stream:${streamId}`,
  /** The set of all stream ids. */
  streams: `${prefix}:log:streams`,
  /** Wake-ups that are not jobs yet. */
  outbox: `${prefix}:log:outbox`,
  /** The channel on which each append tells its stream id. */
  appended: `${prefix}:log:appended`,
  lease: (name) => `${prefix}:log:lease:${name}`,
  leaseTokens: `${prefix}:log:lease-tokens`,
  projections: (name) => `${prefix}:log:projections:${name}`,
  /** Which log this is: another one has another value. */
  life: `${prefix}:log:life`,
})
