/**
 * The node's API over HTTP on loopback: Fastify, the guard in front of everything, tRPC behind it. It owns no state but
 * its socket; everything else is the service's.
 */
import type { Socket } from 'node:net'
import helmet from '@fastify/helmet'
import { ERRORS } from '@godwit/protocol/errors'
import type { FastifyTRPCPluginOptions } from '@trpc/server/adapters/fastify'
import { fastifyTRPCPlugin } from '@trpc/server/adapters/fastify'
import Fastify from 'fastify'
import type { PageFiles } from '../page/pageFiles.js'
import { PAGE_ROUTE, PIECE_CONTENT_TYPE, PIECE_ROUTE, registerPageRoutes, SESSION_PATH } from '../page/pageRoutes.js'
import type { Spool } from '../page/spool.js'
import { Tickets } from '../page/tickets.js'
import type { NodeService } from '../service.js'
import { type Asked, refusalOf } from './guard.js'
import { listenOn } from './listen.js'
import type { AppRouter } from './router.js'
import { appRouter } from './router.js'

/** Bytes of a request's body: a submission with thousands of paths fits. */
const BODY_MAX_BYTES = 1024 * 1024
/** Calls in one HTTP request. */
const BATCH_MAX_CALLS = 10
/** Characters of a path of a batch: ten procedure names. */
const PATH_PARAMETER_MAX = 1024
const PREFIX = '/trpc'

export interface ApiServerOptions {
  readonly service: NodeService
  /** What clients show as `Authorization: Bearer`; 256 bits, base64url. */
  readonly token: string
  /** The node's version, told in the header `godwit-version`. */
  readonly version: string
  /** The port to listen on where it is free: pages that are open find the node again there. */
  readonly preferredPort?: number
  /** The web page; without it there is none. */
  readonly page?: { readonly files: PageFiles; readonly spool: Spool }
  /** Is told of bugs behind a procedure; the answer hides them. */
  readonly onBug?: (error: unknown, path: string | undefined) => void
}

export interface ApiServer {
  /** Listens on 127.0.0.1, on the preferred port or one that the system chooses. `url` has no slash at its end. */
  start(): Promise<{ readonly url: string; readonly port: number }>
  /** Whether a client holds a connection: an open page, somebody who watches. */
  readonly isInUse: boolean
  /** Ends every connection, event streams too; clients reconnect with their cursor. */
  stop(): Promise<void>
}

/** JSON-RPC's codes as tRPC numbers them: with one, its client reads the body as an error of ours. */
const RPC_BAD_REQUEST = -32_600
const RPC_UNAUTHORIZED = -32_001

const bodyOf = (message: string) => ({ error: { message, code: RPC_BAD_REQUEST, data: {} } })

const unauthorizedBody = (reason: string) => {
  const godwit = { code: 'ERR_UNAUTHORIZED', message: ERRORS.ERR_UNAUTHORIZED.message } as const
  return { error: { message: reason, code: RPC_UNAUTHORIZED, data: { godwit } } }
}

/** By the route that was found, not by the text of the address: `/%74rpc` leads where `/trpc` does. */
const askedBy = (route: string | undefined): Asked =>
  route === PAGE_ROUTE ? 'page' : route === SESSION_PATH ? 'signIn' : 'api'

const isJson = (contentType: string | undefined): boolean =>
  contentType?.split(';', 1)[0]?.trim().toLowerCase() === 'application/json'

export const createApiServer = (options: ApiServerOptions): ApiServer => {
  const app = Fastify({
    bodyLimit: BODY_MAX_BYTES,
    // A client that keeps a stream open must not keep the node from ending.
    forceCloseConnections: true,
    routerOptions: { maxParamLength: PATH_PARAMETER_MAX },
    requestTimeout: 30_000,
  })
  let port = 0
  const { page } = options
  const tickets = new Tickets()
  const sockets = new Set<Socket>()

  app.server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })

  app.addHook('onRequest', async (request, reply) => {
    reply.header('cache-control', 'no-store')
    const { url: route } = request.routeOptions
    const asked = askedBy(route)
    const refusal = refusalOf(request.headers, { port, token: options.token, now: Date.now() }, asked)
    if (refusal !== undefined) {
      // No keep-alive for strangers, and nothing of their body is read.
      return reply
        .code(refusal.status)
        .header('connection', 'close')
        .send(refusal.status === 401 ? unauthorizedBody(refusal.reason) : bodyOf(refusal.reason))
    }
    reply.header('godwit-version', options.version)
    // JSON only: a form or plain text is what another site's page may send without asking first.
    const type = request.headers['content-type']
    const isPiece = route === PIECE_ROUTE && type === PIECE_CONTENT_TYPE
    if (request.method !== 'GET' && request.method !== 'HEAD' && !isJson(type) && !isPiece) {
      return reply.code(415).send(bodyOf('only application/json is read'))
    }
    return undefined
  })
  app.setErrorHandler((error, _request, reply) => {
    const status =
      error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number' ? error.statusCode : 500
    if (status >= 500) options.onBug?.(error, undefined)
    return reply.code(status).send(bodyOf(status >= 500 ? 'internal error' : 'the request was refused'))
  })
  app.setNotFoundHandler((_request, reply) => reply.code(404).send(bodyOf('not found')))
  app.removeAllContentTypeParsers()
  app.register(helmet, {
    contentSecurityPolicy: { directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] } },
  })
  const trpcOptions: FastifyTRPCPluginOptions<AppRouter>['trpcOptions'] = {
    router: appRouter,
    createContext: () => ({
      service: options.service,
      tickets,
      spool: page?.spool,
      hasPage: page !== undefined && page.files.size > 0,
    }),
    maxBatchSize: BATCH_MAX_CALLS,
    allowMethodOverride: false,
    onError: ({ error, path }) => {
      if (error.code === 'INTERNAL_SERVER_ERROR' && error.cause?.name !== 'FailureCause') {
        options.onBug?.(error.cause ?? error, path)
      }
    },
  }
  app.register(fastifyTRPCPlugin, { prefix: PREFIX, trpcOptions })
  if (page !== undefined) {
    app.register(async (scope) => registerPageRoutes(scope, { ...page, tickets, token: options.token, now: Date.now }))
  }

  return {
    async start() {
      port = await listenOn(app, options.preferredPort)
      return { url: `http://127.0.0.1:${port}`, port }
    },
    get isInUse() {
      return sockets.size > 0
    },
    async stop() {
      const closed = app.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}
