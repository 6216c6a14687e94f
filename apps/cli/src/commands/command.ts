/** What every command gets and gives: its surroundings in, its exit code out. */
import type { Command } from 'commander'
import type { Session } from '../client/session.js'
import type { CliIo } from '../io.js'
import type { Output } from '../output.js'
import { createOutput } from '../output.js'

export interface CommandContext {
  readonly io: CliIo
  readonly session: Session
}

export interface JsonOption {
  readonly json?: boolean
}

/** Adds one command to the program. Its action hands its exit code to `done`. */
export type RegisterCommand = (program: Command, context: CommandContext, done: (exitCode: number) => void) => void

export const JSON_OPTION = ['--json', 'print JSON, one object a line'] as const

export const outputOf = (context: CommandContext, options: JsonOption): Output =>
  createOutput(context.io, options.json === true)
