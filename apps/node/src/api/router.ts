/** The whole API, one file per resource. */
import { nodeRouter } from './routers/node.js'
import { pageRouter } from './routers/page.js'
import { transfersRouter } from './routers/transfers.js'
import { router } from './trpc.js'

export const appRouter = router({ transfers: transfersRouter, node: nodeRouter, page: pageRouter })

export type AppRouter = typeof appRouter
