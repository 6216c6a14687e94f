/**
 * What the user has set for all transfers of this node, in `settings.json` (0600) of its data directory, with who set
 * what and when. It belongs to the computer and not to the log: nodes that share one Redis have links of their own.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type NodeSettings, nodeSettingsSchema } from '@godwit/protocol/api'
import { SENDING_DEFAULT } from '@godwit/protocol/limits'
import { z } from 'zod'
import { writePrivateFile } from './privateFile.js'

/** Changes that are kept; older ones are forgotten. */
const CHANGES_KEPT = 100

const fileSchema = nodeSettingsSchema.extend({
  changes: z.array(z.object({ at: z.string(), by: z.string(), settings: nodeSettingsSchema })),
})

const DEFAULTS: NodeSettings = { limit: null, maxSending: SENDING_DEFAULT }

export class NodeSettingsFile {
  readonly #path: string
  readonly #now: () => number
  #file: z.infer<typeof fileSchema>

  /** A file that is not there or is damaged counts as the defaults. */
  constructor(dataDir: string, now: () => number = Date.now) {
    this.#path = join(dataDir, 'settings.json')
    this.#now = now
    this.#file = read(this.#path) ?? { ...DEFAULTS, changes: [] }
  }

  get current(): NodeSettings {
    const { limit, maxSending } = this.#file
    return { limit, maxSending }
  }

  change(change: Partial<NodeSettings>, by: string): NodeSettings {
    const settings = { ...this.current, ...change }
    const at = new Date(this.#now()).toISOString()
    const changes = [...this.#file.changes, { at, by, settings }].slice(-CHANGES_KEPT)
    const file = { ...settings, changes }
    writePrivateFile(this.#path, `${JSON.stringify(file)}\n`)
    this.#file = file
    return settings
  }
}

const read = (path: string): z.infer<typeof fileSchema> | undefined => {
  try {
    const parsed = fileSchema.safeParse(JSON.parse(readFileSync(path, 'utf8')))
    return parsed.success ? parsed.data : undefined
  } catch {
    return undefined
  }
}
