/**
 * What `./godwit` does once Node.js runs: the set-up, then the command line in the same process, so that neither the
 * arguments nor the terminal have to be handed on.
 */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { EXIT_SET_UP, setUp } from './setUp/setUp.mjs'

/** Arguments that ask for words only: they need no server. */
const WORDS_ONLY = new Set(['-h', '--help', 'help', '-V', '--version'])

/** @param {string} root @param {string[]} args @returns {Promise<number>} the exit code. */
export async function launch(root, args) {
  const needsRedis = args.length > 0 && ![args[0], args[args.length - 1]].some((argument) => WORDS_ONLY.has(argument))
  // The demo gives each of its nodes a Redis of its own.
  if (args[0] === 'demo') delete process.env.REDIS_URL
  if (!(await setUp(root, { needsRedis, checksTypes: false }))) return EXIT_SET_UP
  const { main } = await import(pathToFileURL(join(root, 'apps', 'cli', 'dist', 'main.js')).href)
  return main(args)
}
