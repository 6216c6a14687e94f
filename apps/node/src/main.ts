/**
 * The node: one process per data directory. This file puts its parts together, starts them in order and ends them in
 * the opposite one.
 *
 * `--foreground`: without supervisor, logging to stderr (systemd, containers).
 */
import { realpathSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { EXIT, exitCodeOf, type Failure, messageOf } from '@godwit/protocol/errors'
import { configFrom } from './config.js'
import { writeStartError } from './lifecycle/startError.js'
import { createNode } from './node.js'

const endWith = (dataDir: string | undefined, failure: Failure): never => {
  process.stderr.write(`${messageOf(failure)}\n`)
  if (dataDir !== undefined) {
    try {
      writeStartError(dataDir, failure)
    } catch {
      // The data directory itself may be what is wrong; the sentence above has said so.
    }
  }
  process.exit(exitCodeOf(failure.code) === EXIT.setUp ? EXIT.setUp : exitCodeOf(failure.code))
}

const run = async (): Promise<void> => {
  process.title = 'godwit-node'
  const config = configFrom(process.env)
  if (!config.ok) return endWith(undefined, config.failure)
  const isForeground = process.argv.includes('--foreground')
  const node = await createNode(config.value, { isForeground })
  if (!node.ok) return endWith(config.value.dataDir, node.failure)
  const stop = (): void => {
    void node.value.stop()
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  await node.value.ended
  process.exit(EXIT.ok)
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) void run()
