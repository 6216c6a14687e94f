/**
 * Who this page is to the node. A one-time link brings a ticket in the address' fragment, which no server ever sees; the
 * page exchanges it at once for a token of its own, wipes it from the address, and keeps the token for as long as the
 * tab lives.
 */
import type { PageSession } from '@godwit/protocol/api'
import { createStore } from '../ui/store'

const KEY = 'godwit-session'

/** `over`: there was a session, and the node takes it no longer. `refused`: the link was not good (any more). */
export type Session =
  | { readonly is: 'signingIn' }
  | { readonly is: 'in'; readonly token: string }
  | { readonly is: 'out'; readonly why: 'none' | 'over' | 'refused' | 'unreachable' }

const isSession = (value: unknown): value is PageSession =>
  typeof value === 'object' && value !== null && 'token' in value && typeof value.token === 'string'

const stored = (): string | undefined => {
  try {
    const value: unknown = JSON.parse(sessionStorage.getItem(KEY) ?? 'null')
    return isSession(value) && value.expiresAt > Date.now() ? value.token : undefined
  } catch {
    return undefined
  }
}

export const sessionStore = createStore<Session>({ is: 'signingIn' })

/** The token to show; empty while there is none. */
export const currentToken = (): string => {
  const session = sessionStore.get()
  return session.is === 'in' ? session.token : ''
}

/** The node has refused the token. */
export const endSession = (): void => {
  sessionStorage.removeItem(KEY)
  if (sessionStore.get().is === 'in') sessionStore.set({ is: 'out', why: 'over' })
}

const exchange = async (ticket: string): Promise<Session> => {
  try {
    const answer = await fetch('/session', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ticket }),
    })
    const value: unknown = await answer.json()
    if (!answer.ok || !isSession(value)) return { is: 'out', why: 'refused' }
    sessionStorage.setItem(KEY, JSON.stringify(value))
    return { is: 'in', token: value.token }
  } catch {
    return { is: 'out', why: 'unreachable' }
  }
}

/** Signs in by the address' ticket, else by what the tab has from before. */
export const signIn = async (): Promise<void> => {
  const ticket = /^#ticket=([A-Za-z0-9_-]{43})$/.exec(location.hash)?.[1]
  if (ticket !== undefined) {
    history.replaceState(null, '', location.pathname)
    const session = await exchange(ticket)
    const token = stored()
    // A link that is used up is no reason to leave a session that works.
    sessionStore.set(session.is === 'out' && token !== undefined ? { is: 'in', token } : session)
    return
  }
  const token = stored()
  sessionStore.set(token === undefined ? { is: 'out', why: 'none' } : { is: 'in', token })
}

/** Leaves the session behind in this tab. */
export const signOut = (): void => {
  sessionStorage.removeItem(KEY)
  sessionStore.set({ is: 'out', why: 'none' })
}
