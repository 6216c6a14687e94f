/** `node.*`: the node itself. */
import { nodeSettingsSchema } from '@godwit/protocol/api'
import { valueOrThrow } from '../errors.js'
import { procedure, router } from '../trpc.js'
import { withoutUndefined } from '../withoutUndefined.js'

export const nodeRouter = router({
  status: procedure.query(({ ctx }) => ctx.service.status()),
  /** What is left out stays as it is. */
  configure: procedure.input(nodeSettingsSchema.partial()).mutation(async ({ ctx, input }) => ({
    type: 'node.settings' as const,
    ...valueOrThrow(await ctx.service.configure(withoutUndefined(input))),
  })),
  doctor: procedure.query(({ ctx }) => ctx.service.doctor()),
  /** Answers before the process is gone. */
  stop: procedure.mutation(async ({ ctx }) => {
    await ctx.service.shutdown()
    return { type: 'node.stopping' as const }
  }),
})
