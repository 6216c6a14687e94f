/**
 * What bounds the chunk buffers of a receiver, over all lanes of its session: a chunk that begins to arrive takes credit, and
 * gives it back when it is written. The sender knows the credit as a total that only grows (`CREDIT_WINDOW_BYTES` more than
 * what came back), so that a lost grant does no harm.
 *
 * The amount in use is a number in shared memory, since lanes are threads.
 */
import { assert } from '@godwit/protocol/assert'
import { CREDIT_MIN_CHUNK_BYTES, CREDIT_WINDOW_BYTES } from '@godwit/protocol/limits'

/** What a chunk costs of the receiver's credit: its bytes, but never less than the least. */
export const creditOf = (length: number): number => Math.max(length, CREDIT_MIN_CHUNK_BYTES)

/** A counter for the lanes of one session. */
export const newCreditCounter = (): Int32Array<SharedArrayBuffer> => new Int32Array(new SharedArrayBuffer(4))

/** A lane's view of the credit. */
export class CreditGate {
  readonly #usedBytes: Int32Array

  constructor(usedBytes: Int32Array) {
    this.#usedBytes = usedBytes
  }

  get usedBytes(): number {
    return Atomics.load(this.#usedBytes, 0)
  }

  /** False where the sender has gone beyond its credit, which breaks the protocol. */
  take(bytes: number): boolean {
    if (Atomics.add(this.#usedBytes, 0, bytes) + bytes <= CREDIT_WINDOW_BYTES) return true
    Atomics.sub(this.#usedBytes, 0, bytes)
    return false
  }

  giveBack(bytes: number): void {
    const before = Atomics.sub(this.#usedBytes, 0, bytes)
    assert(before >= bytes, 'no more credit comes back than was taken')
  }
}

/** The credit as the session hands it out. */
export class CreditWindow {
  readonly gate: CreditGate
  readonly #grant: (totalBytes: number) => void
  #returnedBytes = 0
  #grantedBytes = 0

  /** @param grant - tells the sender its total. */
  constructor(usedBytes: Int32Array, grant: (totalBytes: number) => void) {
    this.gate = new CreditGate(usedBytes)
    this.#grant = grant
  }

  /** Lets the sender begin. */
  start(): void {
    this.#grantedBytes = CREDIT_WINDOW_BYTES
    this.#grant(this.#grantedBytes)
  }

  giveBack(bytes: number): void {
    this.gate.giveBack(bytes)
    this.#returnedBytes += bytes
    const next = CREDIT_WINDOW_BYTES + this.#returnedBytes
    // An eighth at a time: often enough that the sender never waits, seldom enough to cost nothing.
    if (next - this.#grantedBytes < CREDIT_WINDOW_BYTES / 8) return
    this.#grantedBytes = next
    this.#grant(next)
  }
}
