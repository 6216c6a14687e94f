/** `server.*`: what a node may know about the rendezvous itself. */
import { observeTokenOutput, serverInfoOutput } from '@godwit/protocol/rendezvousApi'
import type { Trpc } from './trpc.js'

export const createServerRouter = (trpc: Trpc) =>
  trpc.router({
    info: trpc.procedure.output(serverInfoOutput).query(({ ctx: { deps } }) => ({
      name: 'godwit-rendezvous' as const,
      version: deps.version,
      udpPort: deps.udpPort(),
    })),

    observeToken: trpc.procedure
      .output(observeTokenOutput)
      .mutation(({ ctx: { deps } }) => ({ token: deps.tokens.make().toString('base64url') })),
  })
