/** The types of this server's API, for its clients. Nothing else of this package may be imported by another app. */
export type { AppRouter } from './router/appRouter.js'
