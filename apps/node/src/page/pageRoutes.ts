/**
 * The routes of the page that are no procedures: its files, the exchange of a ticket for a token, and the pieces of
 * files that were dropped on it. Who may call them is decided before, by the guard.
 */
import { sessionInput } from '@godwit/protocol/api'
import type { Failure } from '@godwit/protocol/errors'
import { messageOf } from '@godwit/protocol/errors'
import { SPOOL_PIECE_BYTES } from '@godwit/protocol/limits'
import { getHTTPStatusCodeFromError } from '@trpc/server/http'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { z } from 'zod'
import { godwitError } from '../api/errors.js'
import { PAGE_POLICY, type PageFiles, pageFileFor } from './pageFiles.js'
import { issuePageToken } from './pageTokens.js'
import type { Spool } from './spool.js'
import type { Tickets } from './tickets.js'

export const SESSION_PATH = '/session'
export const PIECE_ROUTE = '/spool/:spoolId'
/** The page's files, for GET and HEAD. */
export const PAGE_ROUTE = '/*'
/** The only content type beside JSON, and for pieces alone: no form of another site can send it. */
export const PIECE_CONTENT_TYPE = 'application/octet-stream'

/** Bytes of a request to `POST /session`: a ticket and its braces. */
const SESSION_BODY_MAX_BYTES = 256

export interface PageRoutesOptions {
  readonly files: PageFiles
  readonly tickets: Tickets
  readonly spool: Spool
  /** The data directory's token, from which those of pages are made. */
  readonly token: string
  /** Wall clock, milliseconds since 1970. */
  readonly now: () => number
}

const pieceQuery = z.object({
  path: z.string().min(1).max(4096),
  offset: z.coerce.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER),
  mtime: z.coerce.number().min(-8.64e15).max(8.64e15).optional(),
})

const refuse = (reply: FastifyReply, failure: Failure) =>
  reply.code(getHTTPStatusCodeFromError(godwitError(failure))).send({ code: failure.code, message: messageOf(failure) })

export const registerPageRoutes = (app: FastifyInstance, options: PageRoutesOptions): void => {
  const { files, tickets, spool } = options

  app.addContentTypeParser(
    PIECE_CONTENT_TYPE,
    { parseAs: 'buffer', bodyLimit: SPOOL_PIECE_BYTES },
    (_request, body, done) => done(null, body),
  )
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => done(null, body))

  app.get(PAGE_ROUTE, (request, reply) => {
    const file = pageFileFor(files, request.url.split('?', 1)[0] ?? '/')
    if (file === undefined) return reply.callNotFound()
    return reply.header('content-security-policy', PAGE_POLICY).type(file.contentType).send(file.body)
  })

  app.post(SESSION_PATH, { bodyLimit: SESSION_BODY_MAX_BYTES }, (request, reply) => {
    const input = sessionInput.safeParse(parseJson(request.body))
    if (!input.success || !tickets.redeem(input.data.ticket)) return refuse(reply, { code: 'ERR_LINK_USED' })
    return reply.send(issuePageToken(options.token, options.now()))
  })

  app.put<{ Params: { spoolId: string } }>(PIECE_ROUTE, { bodyLimit: SPOOL_PIECE_BYTES }, async (request, reply) => {
    const query = pieceQuery.safeParse(request.query)
    if (!query.success || !Buffer.isBuffer(request.body)) {
      return refuse(reply, { code: 'ERR_USAGE', detail: 'this is not a piece of a file' })
    }
    const { path, offset, mtime } = query.data
    const piece = { path, offset, bytes: request.body, endsWithMtime: mtime }
    const written = await spool.write(request.params.spoolId, piece)
    if (!written.ok) return refuse(reply, written.failure)
    return reply.code(written.value.isTaken ? 200 : 409).send({ size: written.value.size })
  })
}

const parseJson = (body: unknown): unknown => {
  try {
    return JSON.parse(String(body))
  } catch {
    return undefined
  }
}
