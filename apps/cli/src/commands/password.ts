/** The password of a room: from stdin, or asked on a terminal. Never an argument. */
import { CliFailure, usageFailure } from '../failure.js'
import type { CliIo } from '../io.js'
import { secretFromStdin } from './arguments.js'
import { askSecret, canAsk } from './prompts.js'

export const passwordOf = async (io: CliIo, isFromStdin: boolean): Promise<string> => {
  if (isFromStdin) return secretFromStdin(io, '--password-stdin')
  if (!canAsk(io)) throw usageFailure('--room needs a password: pass it with --password-stdin.')
  const password = await askSecret('Password of the room')
  if (password === undefined || password === '')
    throw CliFailure.of({ code: 'ERR_USAGE', detail: 'No password was given' })
  return password
}
