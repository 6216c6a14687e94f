/** The typed client of the node, its queries and its event streams; one of each for the page. */
import type { AppRouter } from '@godwit/node/api'
import { QueryClient } from '@tanstack/react-query'
import type { TRPCClient } from '@trpc/client'
import { createTRPCClient, httpLink, httpSubscriptionLink, splitLink, TRPCClientError } from '@trpc/client'
import type { TRPCOptionsProxy } from '@trpc/tanstack-react-query'
import { createTRPCOptionsProxy } from '@trpc/tanstack-react-query'
import { currentToken, endSession } from '../session/session'
import { ClosableEventSource } from './closableEventSource'

/** `fetch` with the token; a refusal of the token ends the session. */
export const authorizedFetch = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
  const headers = new Headers(init?.headers)
  headers.set('authorization', `Bearer ${currentToken()}`)
  const answer = await fetch(input, { ...init, headers })
  if (answer.status === 401) endSession()
  return answer
}

const url = '/trpc'

const client: TRPCClient<AppRouter> = createTRPCClient<AppRouter>({
  links: [
    splitLink({
      condition: (operation) => operation.type === 'subscription',
      true: httpSubscriptionLink({
        url,
        EventSource: ClosableEventSource,
        eventSourceOptions: {
          fetch: (input, init) => authorizedFetch(input, { ...init, mode: 'same-origin' }),
        },
      }),
      false: httpLink({ url, fetch: (input, init) => authorizedFetch(input, init as RequestInit) }),
    }),
  ],
})

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      // The event streams say when something has changed.
      staleTime: Number.POSITIVE_INFINITY,
      refetchOnWindowFocus: false,
      retry: (failures, error) => refusalIn(error) === undefined && failures < 20,
      retryDelay: (failures) => Math.min(250 * 2 ** failures, 3000),
    },
    // A node that is just starting again answers in a moment.
    mutations: { retry: false },
  },
})

export const api: TRPCOptionsProxy<AppRouter> = createTRPCOptionsProxy<AppRouter>({ client, queryClient })
export { client }

export interface Refusal {
  readonly code: string
  readonly message: string
}

/** What the node has refused, in its words; undefined where nobody answered, or for a bug. */
export const refusalIn = (error: unknown): Refusal | undefined => {
  if (!(error instanceof TRPCClientError)) return undefined
  const data: unknown = error.data
  if (typeof data !== 'object' || data === null || !('godwit' in data)) return undefined
  const { godwit } = data
  if (typeof godwit !== 'object' || godwit === null || !('code' in godwit) || !('message' in godwit)) return undefined
  return { code: String(godwit.code), message: String(godwit.message) }
}

/** An error as a sentence for the user. */
export const sentenceOf = (error: unknown): string => {
  const refusal = refusalIn(error)
  if (refusal !== undefined) return refusal.message
  if (error instanceof TRPCClientError && error.shape === undefined)
    return 'The node does not answer. Try again in a moment.'
  return 'Something went wrong inside the node. Its log (node.log in the data directory) says what.'
}
