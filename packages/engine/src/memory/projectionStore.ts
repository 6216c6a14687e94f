/** The projection store in memory: for simulations and tests. */
import type { Projection, ProjectionStore } from '../ports/projectionStore.js'

export class MemoryProjectionStore<S> implements ProjectionStore<S> {
  readonly #projections = new Map<string, Projection<S>>()

  get(id: string): Promise<Projection<S> | undefined> {
    return Promise.resolve(this.#projections.get(id))
  }

  compareAndSet(id: string, expectedCursor: number, next: Projection<S>): Promise<boolean> {
    const isExpected = (this.#projections.get(id)?.cursor ?? 0) === expectedCursor
    if (isExpected) this.#projections.set(id, next)
    return Promise.resolve(isExpected)
  }

  all(): Promise<readonly { readonly id: string; readonly projection: Projection<S> }[]> {
    return Promise.resolve([...this.#projections].map(([id, projection]) => ({ id, projection })))
  }

  delete(id: string): Promise<void> {
    this.#projections.delete(id)
    return Promise.resolve()
  }
}
