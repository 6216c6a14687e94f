/**
 * The tickets of sign-in links: 256 bits, good for one use and a minute. They live in this process alone, by their
 * hashes; a ticket that nobody has used dies with it.
 */
import { createHash, randomBytes } from 'node:crypto'
import { TICKET_TTL_MS, TICKETS_MAX } from '@godwit/protocol/limits'

export type TicketState = 'waiting' | 'used' | 'gone'

const hashOf = (ticket: string): string => createHash('sha256').update(ticket, 'utf8').digest('base64url')

export class Tickets {
  /** By hash, the oldest first. */
  readonly #tickets = new Map<string, { readonly expiresAt: number; isUsed: boolean }>()
  readonly #now: () => number

  /** @param now - monotonic milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  issue(): string {
    this.#forgetOld()
    const oldest = this.#tickets.keys().next().value
    if (this.#tickets.size >= TICKETS_MAX && oldest !== undefined) this.#tickets.delete(oldest)
    const ticket = randomBytes(32).toString('base64url')
    this.#tickets.set(hashOf(ticket), { expiresAt: this.#now() + TICKET_TTL_MS, isUsed: false })
    return ticket
  }

  /** Uses the ticket up. @returns whether it was good. */
  redeem(ticket: string): boolean {
    this.#forgetOld()
    const found = this.#tickets.get(hashOf(ticket))
    if (found === undefined || found.isUsed) return false
    found.isUsed = true
    return true
  }

  stateOf(ticket: string): TicketState {
    this.#forgetOld()
    const found = this.#tickets.get(hashOf(ticket))
    if (found === undefined) return 'gone'
    return found.isUsed ? 'used' : 'waiting'
  }

  #forgetOld(): void {
    const now = this.#now()
    for (const [hash, { expiresAt }] of this.#tickets) if (expiresAt <= now) this.#tickets.delete(hash)
  }
}
