/**
 * The decider: a pure function from command and state to events, and one from state and event to state
 * (the form is emmett's). A rejection is a value with a code of the error table.
 */
import type { Failure } from '@godwit/protocol/errors'
import type { DomainEvent } from '@godwit/protocol/events'

export type Decision<E extends DomainEvent> =
  | { readonly ok: true; readonly events: readonly E[] }
  | { readonly ok: false; readonly failure: Failure }

export interface Decider<State, Command, E extends DomainEvent> {
  readonly initialState: State
  readonly decide: (command: Command, state: State) => Decision<E>
  readonly evolve: (state: State, event: E) => State
}

export const accept = <E extends DomainEvent>(...events: readonly E[]): Decision<E> => ({ ok: true, events })

export const reject = <E extends DomainEvent>(code: Failure['code'], detail?: string): Decision<E> => ({
  ok: false,
  failure: detail === undefined ? { code } : { code, detail },
})
