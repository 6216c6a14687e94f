/** The type of the node's API, and nothing at run time: what the command line and the web page compile against. */
export type { AppRouter } from './api/router.js'
