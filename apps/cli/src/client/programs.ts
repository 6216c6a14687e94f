/** The other programs of Godwit, found as files: the command line starts them and never loads them. */
import { createRequire } from 'node:module'

export interface Programs {
  readonly supervisor: string
  readonly node: string
  readonly rendezvous: string
}

const resolver = createRequire(import.meta.url)

export const programs: Programs = {
  get supervisor() {
    return resolver.resolve('@godwit/node/supervisor')
  },
  get node() {
    return resolver.resolve('@godwit/node/main')
  },
  get rendezvous() {
    return resolver.resolve('@godwit/rendezvous/main')
  },
}
