/** For tests: calls to a rendezvous as they stand on the wire, without a client library between. */
import { randomBytes } from 'node:crypto'
import { assert } from '@godwit/protocol/assert'
import { roomFeedItemSchema } from '@godwit/protocol/rendezvousApi'
import { z } from 'zod'

export const newToken = (): string => randomBytes(32).toString('base64url')

const answerSchema = z.union([
  z.object({ result: z.object({ data: z.unknown() }) }),
  z.object({
    error: z.object({ data: z.object({ httpStatus: z.number(), godwit: z.object({ code: z.string() }) }) }),
  }),
])

export type Answer =
  | { readonly ok: true; readonly status: number; readonly data: unknown }
  | { readonly ok: false; readonly status: number; readonly code: string }

const itemSchema = roomFeedItemSchema
export type SeenItem = z.infer<typeof itemSchema>

export type SeenEvent =
  | { readonly type: 'item'; readonly id: string; readonly item: SeenItem }
  | { readonly type: 'failed'; readonly code: string }
  | { readonly type: 'ended' }
  | { readonly type: 'cut' }

export interface ApiClient {
  /** @param forwardedFor - what a reverse proxy would say about where the request comes from. */
  mutate(path: string, token: string | undefined, input?: unknown, forwardedFor?: string): Promise<Answer>
  query(path: string): Promise<Answer>
  /** The stream of `rooms.watch`: its parts but pings, up to and with its end. `return` closes it. */
  watch(
    roomId: string,
    token: string,
    lastEventId?: string,
    afterEvent?: number,
  ): AsyncGenerator<SeenEvent, void, undefined>
}

export const apiClient = (url: string): ApiClient => {
  const headersOf = (token: string | undefined): Record<string, string> =>
    token === undefined ? {} : { authorization: `Bearer ${token}` }
  const answerOf = async (response: Response): Promise<Answer> => {
    const answer = answerSchema.parse(await response.json())
    return 'result' in answer
      ? { ok: true, status: response.status, data: answer.result.data }
      : { ok: false, status: response.status, code: answer.error.data.godwit.code }
  }
  return {
    mutate: async (path, token, input, forwardedFor) =>
      answerOf(
        await fetch(`${url}/trpc/${path}`, {
          method: 'POST',
          headers: {
            'content-type': 'application/json',
            ...headersOf(token),
            ...(forwardedFor === undefined ? {} : { 'x-forwarded-for': forwardedFor }),
          },
          ...(input === undefined ? {} : { body: JSON.stringify(input) }),
        }),
      ),
    query: async (path) => answerOf(await fetch(`${url}/trpc/${path}`)),
    async *watch(roomId, token, lastEventId, afterEvent) {
      const input = encodeURIComponent(JSON.stringify({ roomId, lastEventId, afterEvent }))
      const aborter = new AbortController()
      try {
        const response = await fetch(`${url}/trpc/rooms.watch?input=${input}`, {
          headers: headersOf(token),
          signal: aborter.signal,
        })
        assert(response.body !== null, 'a stream has a body')
        for await (const block of blocksOf(response.body)) {
          const event = eventOf(block)
          if (event !== undefined) yield event
          if (event?.type === 'failed' || event?.type === 'ended') return
        }
        yield { type: 'cut' }
      } catch {
        yield { type: 'cut' }
      } finally {
        aborter.abort()
      }
    },
  }
}

/** Takes the next `count` items of a stream. */
export const takeItems = async (
  stream: AsyncGenerator<SeenEvent, void, undefined>,
  count: number,
): Promise<readonly { readonly id: string; readonly item: SeenItem }[]> => {
  const items: { id: string; item: SeenItem }[] = []
  while (items.length < count) {
    const next = await stream.next()
    assert(!next.done && next.value.type === 'item', `an item, not ${JSON.stringify(next)}`)
    items.push({ id: next.value.id, item: next.value.item })
  }
  return items
}

/** One line for what an item says, for readable expectations. */
export const tell = ({ item }: { readonly item: SeenItem }): string => {
  if (item.kind === 'message') return `${item.from}: ${Buffer.from(item.body, 'base64').toString()}`
  const { type, data } = item.event
  const place = 'place' in data ? ` ${data.place}` : ''
  const reason = 'reason' in data ? ` ${data.reason}` : ''
  const guessesLeft = 'guessesLeft' in data ? ` ${data.guessesLeft}` : ''
  return `${type}${place}${reason}${guessesLeft}`
}

/** The blocks of an event stream, separated by empty lines (WHATWG HTML §9.2). */
async function* blocksOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let text = ''
  const decoder = new TextDecoder()
  for await (const part of body) {
    text += decoder.decode(part, { stream: true })
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      yield text.slice(0, end)
      text = text.slice(end + 2)
    }
  }
}

const eventOf = (block: string): SeenEvent | undefined => {
  const field = (name: string): string | undefined =>
    block
      .split('\n')
      .find((line) => line.startsWith(`${name}:`))
      ?.slice(name.length + 1)
      .trim()
  const event = field('event')
  const data = field('data') ?? ''
  if (event === 'serialized-error') {
    const { godwit } = z
      .object({ data: z.object({ godwit: z.object({ code: z.string() }) }) })
      .parse(JSON.parse(data)).data
    return { type: 'failed', code: godwit.code }
  }
  if (event === 'return') return { type: 'ended' }
  if (event !== undefined) return undefined
  return { type: 'item', id: field('id') ?? '', item: itemSchema.parse(JSON.parse(data)) }
}
