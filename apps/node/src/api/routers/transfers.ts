/** `transfers.*`: commands to transfers, their views, and the two event streams. */
import { enqueueReceiveInput, enqueueSendInput, limitSchema, transferIdSchema } from '@godwit/protocol/api'
import { eventIdOf } from '@godwit/protocol/events'
import { prioritySchema, scheduleSchema } from '@godwit/protocol/schedule'
import { tracked } from '@trpc/server'
import { z } from 'zod'
import { cursorOfLine, versionOfCursor } from '../cursor.js'
import { godwitError, valueOrThrow } from '../errors.js'
import { procedure, router } from '../trpc.js'
import { withoutUndefined } from '../withoutUndefined.js'

const transferInput = z.object({ transferId: transferIdSchema })
/** `lastEventId` is the id of the last event that the client has; EventSource sends it by itself on a reconnect. */
const streamInput = transferInput.extend({ lastEventId: z.string().max(128).optional() })

const startOf = (input: z.output<typeof streamInput>): number => {
  const version = versionOfCursor(input.transferId, input.lastEventId)
  if (version === undefined)
    throw godwitError({ code: 'ERR_USAGE', detail: 'lastEventId is not an event of this transfer' })
  return version
}

/** tRPC declares the signal of a subscription as optional, but always gives it. */
const neverAborted = new AbortController().signal

export const transfersRouter = router({
  enqueueSend: procedure
    .input(enqueueSendInput)
    .mutation(async ({ ctx, input }) => valueOrThrow(await ctx.service.enqueueSend(input))),
  enqueueReceive: procedure
    .input(enqueueReceiveInput)
    .mutation(async ({ ctx, input }) => valueOrThrow(await ctx.service.enqueueReceive(input))),
  accept: procedure
    .input(transferInput.extend({ output: z.string().min(1).max(4096).optional() }))
    .mutation(async ({ ctx, input }) => valueOrThrow(await ctx.service.accept(input.transferId, input.output))),
  decline: procedure
    .input(transferInput)
    .mutation(async ({ ctx, input }) => valueOrThrow(await ctx.service.decline(input.transferId))),
  pause: procedure
    .input(transferInput)
    .mutation(async ({ ctx, input }) => valueOrThrow(await ctx.service.pause(input.transferId))),
  resume: procedure
    .input(transferInput)
    .mutation(async ({ ctx, input }) => valueOrThrow(await ctx.service.resume(input.transferId))),
  cancel: procedure
    .input(transferInput)
    .mutation(async ({ ctx, input }) => valueOrThrow(await ctx.service.cancel(input.transferId))),
  retry: procedure
    .input(transferInput)
    .mutation(async ({ ctx, input }) => valueOrThrow(await ctx.service.retry(input.transferId))),
  remove: procedure
    .input(transferInput)
    .mutation(async ({ ctx, input }) => valueOrThrow(await ctx.service.remove(input.transferId))),
  setLimit: procedure
    .input(transferInput.extend({ limit: limitSchema }))
    .mutation(async ({ ctx, input }) => valueOrThrow(await ctx.service.setLimit(input.transferId, input.limit))),

  setPriority: procedure
    .input(transferInput.extend({ priority: prioritySchema }))
    .mutation(async ({ ctx, input }) => valueOrThrow(await ctx.service.setPriority(input.transferId, input.priority))),
  /** What is left out stays as it is. */
  setSchedule: procedure
    .input(transferInput.extend({ schedule: scheduleSchema.partial() }))
    .mutation(async ({ ctx, input }) =>
      valueOrThrow(await ctx.service.setSchedule(input.transferId, withoutUndefined(input.schedule))),
    ),

  list: procedure.query(async ({ ctx }) => valueOrThrow(await ctx.service.list())),
  get: procedure
    .input(transferInput)
    .query(async ({ ctx, input }) => valueOrThrow(await ctx.service.get(input.transferId))),
  details: procedure
    .input(transferInput)
    .query(async ({ ctx, input }) => valueOrThrow(await ctx.service.details(input.transferId))),
  events: procedure
    .input(transferInput.extend({ fromVersion: z.number().int().min(1).default(1) }))
    .query(async ({ ctx, input }) => valueOrThrow(await ctx.service.events(input.transferId, input.fromVersion))),

  /**
   * All transfers, then those that change. What it tells is a state and no history, so whoever comes back, with
   * whatever id, is told the state first: its first message says so.
   */
  watchList: procedure.input(z.object({ lastEventId: z.string().max(128).optional() })).subscription(async function* ({
    ctx,
    signal,
  }) {
    let number = 0
    for await (const change of ctx.service.watchList(signal ?? neverAborted)) {
      number += 1
      yield tracked(`list.${number}`, change)
    }
  }),

  /** Each event once, past and coming; its id is the cursor. */
  followEvents: procedure.input(streamInput).subscription(async function* ({ ctx, input, signal }) {
    const seen = startOf(input)
    valueOrThrow(await ctx.service.get(input.transferId))
    for await (const line of ctx.service.followEvents(input.transferId, seen + 1, signal ?? neverAborted)) {
      yield tracked(eventIdOf(input.transferId, line.version), line)
    }
  }),

  /** Progress, the offer and the end: see NodeService.watch. Lines may come again after a reconnect, none is lost. */
  watch: procedure.input(streamInput).subscription(async function* ({ ctx, input, signal }) {
    const seen = startOf(input)
    valueOrThrow(await ctx.service.get(input.transferId))
    for await (const { version, line } of ctx.service.watch(input.transferId, seen, signal ?? neverAborted)) {
      yield tracked(cursorOfLine(input.transferId, version, line), line)
    }
  }),
})
