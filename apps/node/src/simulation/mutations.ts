/**
 * Worlds that are broken on purpose, one for each checker: what a checker is worth is shown by a world in which it fails.
 */
export const MUTATIONS = {
  /** A file rots after it got its name. */
  filesEqual: 'filesEqual',
  /** The sender's log says completed by itself. */
  noFalseComplete: 'noFalseComplete',
  /** The disk says synced and is not. */
  logWithinDisk: 'logWithinDisk',
  /** The log makes up an event that the schema does not allow. */
  eventsReplayable: 'eventsReplayable',
  /** Every session gets the keys of the first. */
  nonceUnique: 'nonceUnique',
  /** Every chunk buffer takes as much as all of them together may. */
  memoryBounded: 'memoryBounded',
  /** The network never comes back. */
  alwaysEnds: 'alwaysEnds',
} as const

export type Mutation = keyof typeof MUTATIONS

export const isMutation = (text: string): text is Mutation => Object.hasOwn(MUTATIONS, text)
