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
  const needsRedis = args.length > 0 && !WORDS_ONLY.has(args[0]) && !WORDS_ONLY.has(args.at(-1))
  if (!(await setUp(root, { needsRedis }))) return EXIT_SET_UP
  const { main } = await import(pathToFileURL(join(root, 'apps', 'cli', 'dist', 'main.js')).href)
  return main(args)
}
