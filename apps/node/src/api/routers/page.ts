/** `page.*`: what the web page needs beside transfers: sign-in links, folders to pick from, files that were dropped. */
import { spoolIdSchema, spoolSendInput } from '@godwit/protocol/api'
import { z } from 'zod'
import { listFolder } from '../../page/folders.js'
import type { Spool } from '../../page/spool.js'
import { godwitError, valueOrThrow } from '../errors.js'
import { procedure, router } from '../trpc.js'

const ticketInput = z.object({ ticket: z.string().max(64) })
const count = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER)

const spoolOf = (spool: Spool | undefined): Spool => {
  if (spool === undefined) throw godwitError({ code: 'ERR_PAGE_MISSING' })
  return spool
}

export const pageRouter = router({
  /** A ticket for one sign-in, good for a minute. ERR_PAGE_MISSING where there is no page to sign in to. */
  issueTicket: procedure.mutation(({ ctx }) => {
    if (!ctx.hasPage) throw godwitError({ code: 'ERR_PAGE_MISSING' })
    return { type: 'page.ticket' as const, ticket: ctx.tickets.issue() }
  }),
  /** Whether somebody has signed in with it. A mutation: a ticket does not belong into an address. */
  ticketState: procedure.input(ticketInput).mutation(({ ctx, input }) => ctx.tickets.stateOf(input.ticket)),

  folder: procedure
    .input(z.object({ path: z.string().min(1).max(4096).optional() }))
    .query(async ({ input }) => valueOrThrow(await listFolder(input.path))),

  beginSpool: procedure
    .input(z.object({ files: count.min(1), bytes: count }))
    .mutation(async ({ ctx, input }) => valueOrThrow(await spoolOf(ctx.spool).begin(input.files, input.bytes))),
  dropSpool: procedure.input(z.object({ spoolId: spoolIdSchema })).mutation(async ({ ctx, input }) => {
    await spoolOf(ctx.spool).drop(input.spoolId)
    return { spoolId: input.spoolId }
  }),
  /** Sends what lies in the spool: like `transfers.enqueueSend`. */
  sendSpool: procedure.input(spoolSendInput).mutation(async ({ ctx, input: { spoolId, ...input } }) => {
    const paths = valueOrThrow(await spoolOf(ctx.spool).claim(spoolId, input.submissionId))
    const enqueued = valueOrThrow(await ctx.service.enqueueSend({ ...input, paths: [...paths] }))
    spoolOf(ctx.spool).claimed(spoolId, input.submissionId, enqueued.transferId)
    return enqueued
  }),
})
