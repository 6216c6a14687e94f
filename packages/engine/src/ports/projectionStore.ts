/**
 * Where projections are kept: a state folded from a stream, with the version of the last event folded (its cursor).
 * A write is a compare-and-set of the cursor, so that workers that run at the same time or twice cannot undo each other.
 */
export interface Projection<S> {
  readonly cursor: number
  readonly state: S
}

export interface ProjectionStore<S> {
  get(id: string): Promise<Projection<S> | undefined>
  /** Writes `next` if the stored cursor is still `expectedCursor` (0: none stored); false where it is not. */
  compareAndSet(id: string, expectedCursor: number, next: Projection<S>): Promise<boolean>
  /** All of them, in no order. */
  all(): Promise<readonly { readonly id: string; readonly projection: Projection<S> }[]>
  delete(id: string): Promise<void>
}
