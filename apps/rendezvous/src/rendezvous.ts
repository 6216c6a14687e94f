/**
 * The rendezvous: an HTTP server for rooms and mailboxes, and a UDP port that tells nodes their addresses. It never
 * sees a file, a name or a key. Where its state lives is the caller's choice; `main.ts` puts Redis in.
 */
import { isIP } from 'node:net'
import helmet from '@fastify/helmet'
import rateLimit from '@fastify/rate-limit'
import type { EventStore } from '@godwit/engine/ports/eventStore'
import { assert } from '@godwit/protocol/assert'
import type { RoomEvent } from '@godwit/protocol/roomEvents'
import { fastifyTRPCPlugin } from '@trpc/server/adapters/fastify'
import fastify, { type FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import { AddressCount } from './addressCount.js'
import { limitKeyOf, truncatedAddress } from './addresses.js'
import { failureOf, godwitDataOf, trpcErrorOf } from './failures.js'
import { ObserveServer } from './observe/observeServer.js'
import { ObserveTokens } from './observe/observeTokens.js'
import { defaultOptions, type RendezvousOptions } from './options.js'
import { OpenRooms } from './rooms/openRooms.js'
import { RoomRepository } from './rooms/roomRepository.js'
import { RoomService } from './rooms/roomService.js'
import { type AppRouter, createAppRouter } from './router/appRouter.js'
import { type RouterDeps, requestContextOf, routerLimits } from './router/trpc.js'
import type { Mailbox } from './stores/mailbox.js'
import type { MemoryGauge } from './stores/memoryGauge.js'
import type { RoomBell } from './stores/roomBell.js'
import type { RoomDirectory } from './stores/roomDirectory.js'
import { VERSION } from './version.js'

export interface RendezvousStores {
  readonly events: EventStore<RoomEvent>
  readonly directory: RoomDirectory
  readonly mailbox: Mailbox
  readonly bell: RoomBell
  readonly memory: MemoryGauge
}

export interface RendezvousDeps {
  readonly stores: RendezvousStores
  /** An IP address to listen on. */
  readonly host: string
  /** TCP port; 0 for any that is free. */
  readonly port: number
  /** UDP port; by default of the same number as the TCP port. */
  readonly udpPort?: number
  readonly logger: Logger
  readonly options?: Partial<RendezvousOptions>
  /** Wall clock, milliseconds: how long rooms live. */
  readonly now?: () => number
  /** Milliseconds of a clock that never goes back: rates and tokens. */
  readonly monotonicNow?: () => number
}

export interface RendezvousAddress {
  readonly url: string
  readonly host: string
  readonly port: number
  readonly udpPort: number
}

export interface Rendezvous {
  /** Binds both ports. Rejects with the socket's error: EADDRINUSE, EACCES, EADDRNOTAVAIL. */
  start(): Promise<RendezvousAddress>
  /** Ends streams, closes both ports. The stores stay the caller's. */
  stop(): Promise<void>
  /** Undefined until `start` has resolved. */
  readonly address: RendezvousAddress | undefined
}

/** Bytes of a request's body: a mailbox message in base64 and its envelope. */
const BODY_MAX_BYTES = 16 * 1024
/** Connections beside those that carry streams. */
const OTHER_CONNECTIONS_MAX = 1000
/** Ports tried when any will do: one that is free for TCP may be taken for UDP. */
const PORT_TRIES_MAX = 32
/** Rooms that one sweep handles at once; the next batch follows directly. */
const SWEEP_BATCH = 100
/** The longest path of a procedure, `rooms.watch` and the like, with room to spare. */
const PATH_PARAMETER_MAX = 64

export const createRendezvous = (deps: RendezvousDeps): Rendezvous => {
  const options: RendezvousOptions = { ...defaultOptions, ...deps.options }
  const monotonicNow = deps.monotonicNow ?? (() => performance.now())
  const { stores, logger } = deps
  const rooms = new RoomRepository(stores.events, stores.bell)
  const openRooms = new OpenRooms(options.roomsPerAddressMax)
  const service = new RoomService({ ...stores, rooms, openRooms, options, now: deps.now ?? Date.now })
  const tokens = new ObserveTokens(monotonicNow)
  const observe = new ObserveServer(tokens, options.observations, monotonicNow)
  const stopping = new AbortController()
  let address: RendezvousAddress | undefined
  let http: FastifyInstance | undefined
  let sweeping: NodeJS.Timeout | undefined

  const routerDeps: RouterDeps = {
    service,
    feed: { rooms, mailbox: stores.mailbox, bell: stores.bell },
    tokens,
    limits: routerLimits(options, monotonicNow),
    openRooms,
    opensForThisMachineOnly: options.opensForThisMachineOnly,
    version: VERSION,
    udpPort: () => address?.udpPort ?? 0,
    stopping: stopping.signal,
  }

  const sweep = async (): Promise<void> => {
    try {
      service.noteMemory(await stores.memory.usedBytes())
      while (!stopping.signal.aborted && (await service.sweep(SWEEP_BATCH)) === SWEEP_BATCH);
    } catch (error) {
      if (!stopping.signal.aborted) logger.warn({ err: error }, 'the sweep failed and is tried again')
    }
    if (!stopping.signal.aborted) sweeping = setTimeout(sweep, options.sweepIntervalMs).unref()
  }

  return {
    get address() {
      return address
    },

    async start() {
      for (let tries = 1; ; tries += 1) {
        const server = await createHttp(routerDeps, options, logger)
        try {
          await server.listen({ host: deps.host, port: deps.port })
          const port = boundPortOf(server)
          const udpPort = await observe.start(deps.host, deps.udpPort ?? port)
          http = server
          address = { url: urlOf(deps.host, port), host: deps.host, port, udpPort }
          break
        } catch (error) {
          await server.close()
          const mayTryAnother = deps.port === 0 && deps.udpPort === undefined && tries < PORT_TRIES_MAX
          if (!mayTryAnother || !isAddressInUse(error)) throw error
        }
      }
      void sweep()
      return address
    },

    async stop() {
      stopping.abort()
      clearTimeout(sweeping)
      await observe.stop()
      await http?.close()
    },
  }
}

const createHttp = async (deps: RouterDeps, options: RendezvousOptions, logger: Logger): Promise<FastifyInstance> => {
  const server = fastify({
    bodyLimit: BODY_MAX_BYTES,
    forceCloseConnections: true,
    // The proxy's own word is the last one in the list; what stands before it, the client may have made up.
    trustProxy: options.trustsProxy && ((_address: string, hop: number) => hop === 0),
    routerOptions: { maxParamLength: PATH_PARAMETER_MAX },
    requestTimeout: 30_000,
  })
  server.server.maxConnections = options.watchersMax + OTHER_CONNECTIONS_MAX
  if (!options.trustsProxy) limitConnections(server, options.connectionsPerAddressMax)
  await server.register(helmet)
  await server.register(rateLimit, {
    max: options.requestsPerMinute,
    timeWindow: 60_000,
    keyGenerator: (request) => limitKeyOf(request.ip),
    // The same shape as every other refusal, so that a node reads it the same way.
    errorResponseBuilder: () => Object.assign(new Error('too many requests'), { statusCode: 429 }),
  })
  server.setErrorHandler((error, request, reply) => {
    const status = statusOf(error)
    if (status >= 500) logger.error({ err: error, from: truncatedAddress(request.ip) }, 'a request failed')
    const code = status === 429 ? 'ERR_RENDEZVOUS_REFUSED' : status >= 500 ? 'ERR_RENDEZVOUS_UNREACHABLE' : 'ERR_USAGE'
    const godwit = godwitDataOf(trpcErrorOf({ code }))
    return reply
      .status(status)
      .send({ error: { message: godwit.message, code: -32_600, data: { httpStatus: status, godwit } } })
  })
  server.get('/healthz', () => ({ ok: true }))
  await server.register(fastifyTRPCPlugin<AppRouter>, {
    prefix: '/trpc',
    trpcOptions: {
      router: createAppRouter(options),
      allowBatching: false,
      createContext: ({ req }) =>
        requestContextOf(deps, {
          ip: req.ip,
          localIp: req.socket.localAddress,
          authorization: req.headers.authorization,
        }),
      onError: ({ error, path }) => {
        if (failureOf(error) === undefined) logger.error({ err: error.cause ?? error, path }, 'a procedure failed')
      },
    },
  })
  return server
}

/** Connections cost nothing to open and hold: one address must not take them all. */
const limitConnections = (server: FastifyInstance, perAddressMax: number): void => {
  const connections = new AddressCount(Number.POSITIVE_INFINITY, perAddressMax)
  server.server.on('connection', (socket) => {
    const key = limitKeyOf(socket.remoteAddress ?? '')
    if (!connections.enter(key)) {
      socket.destroy()
      return
    }
    socket.once('close', () => connections.leave(key))
  })
}

const statusOf = (error: unknown): number => {
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined
  return typeof status === 'number' && status >= 400 ? status : 500
}

const isAddressInUse = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'EADDRINUSE'

/** A URL that works on this machine, also where all addresses are listened on. */
const urlOf = (host: string, port: number): string => {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return `http://${isIP(reachable) === 6 ? `[${reachable}]` : reachable}:${port}`
}

const boundPortOf = (server: FastifyInstance): number => {
  const bound = server.server.address()
  assert(bound !== null && typeof bound === 'object', 'a server that listens on TCP has a port')
  return bound.port
}
