/** `node.*`: the node itself. */
import { procedure, router } from '../trpc.js'

export const nodeRouter = router({
  status: procedure.query(({ ctx }) => ctx.service.status()),
  doctor: procedure.query(({ ctx }) => ctx.service.doctor()),
  /** Answers before the process is gone. */
  stop: procedure.mutation(async ({ ctx }) => {
    await ctx.service.shutdown()
    return { type: 'node.stopping' as const }
  }),
})
