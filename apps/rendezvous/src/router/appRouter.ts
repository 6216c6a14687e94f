/** The router: everything that a node can ask of a rendezvous (packages/protocol/src/rendezvousApi.ts). */
import { createRoomsRouter } from './rooms.js'
import { createServerRouter } from './server.js'
import { createTrpc, type StreamOptions } from './trpc.js'

export const createAppRouter = (streams: StreamOptions) => {
  const trpc = createTrpc(streams)
  return trpc.router({ rooms: createRoomsRouter(trpc), server: createServerRouter(trpc) })
}

export type AppRouter = ReturnType<typeof createAppRouter>
