/** The program: its commands put together, its failures told, its exit code. */
import { EXIT } from '@godwit/protocol/errors'
import { Command, CommanderError } from 'commander'
import { createSession, type Session } from './client/session.js'
import type { CommandContext } from './commands/command.js'
import { registerDemo } from './commands/demo.js'
import { registerDoctor } from './commands/doctor.js'
import { registerEvents } from './commands/events.js'
import { registerList } from './commands/list.js'
import { registerNode } from './commands/node.js'
import { registerOpen } from './commands/open.js'
import { registerReceive } from './commands/receive.js'
import { registerRendezvous } from './commands/rendezvous.js'
import { registerSend } from './commands/send.js'
import { registerTransferCommands } from './commands/transferCommands.js'
import { registerWatch } from './commands/watch.js'
import { CliFailure, usageFailure } from './failure.js'
import type { CliIo } from './io.js'
import { tellFailure } from './output.js'
import { cliVersion } from './version.js'

/** Milliseconds that a command has to end by itself after Ctrl-C. */
const INTERRUPT_GRACE_MS = 500

/** The commands whose JSON ends with `transfer.completed` or `transfer.failed`. */
const TRANSFER_RUNS = new Set(['send', 'receive', 'watch'])

const HELP_AFTER = `
Exit codes: 0 ok, 1 bug, 2 usage, 3 peer not found or timeout, 4 refused or wrong code, 5 integrity,
6 local I/O, 7 network, 78 set-up, 130 interrupted.
Environment: GODWIT_DATA_DIR, GODWIT_RENDEZVOUS, GODWIT_LISTEN, REDIS_URL, NO_COLOR.`

const createProgram = (
  context: CommandContext,
  done: (exitCode: number) => void,
  onHelpAsError: (text: string) => void,
): Command => {
  const { io } = context
  const program = new Command('godwit')
    .description('Moves files from one computer to others, directly and encrypted, and does not give up.')
    .version(cliVersion())
    .helpCommand(true)
    .addHelpText('after', HELP_AFTER)
    .exitOverride()
    // Errors are told by us, once, and without repeating arguments: one of them may be a code.
    .configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: onHelpAsError, outputError: () => {} })
    .showSuggestionAfterError(false)
  const registrations = [
    registerSend,
    registerReceive,
    registerTransferCommands,
    registerList,
    registerEvents,
    registerWatch,
    registerOpen,
    registerDemo,
    registerDoctor,
    registerNode,
    registerRendezvous,
  ]
  for (const register of registrations) register(program, context, done)
  return program
}

/** What commander found wrong, in its words but for those that would repeat an argument. */
const usageOf = (error: CommanderError, program: Command, argv: readonly string[]): CliFailure => {
  const command = program.commands.find((one) => one.name() === argv[0])
  const help = command === undefined ? 'godwit --help' : `godwit ${command.name()} --help`
  if (error.code === 'commander.unknownCommand') {
    const first = argv[0] ?? ''
    // Somebody who types the code alone means to receive it.
    const hint = /^\d+-\p{L}+/u.test(first) ? ' A code goes behind receive: godwit receive CODE.' : ''
    return usageFailure(`There is no such command.${hint} See ${help}.`)
  }
  if (error.code === 'commander.help') return usageFailure(`The command is not complete. See ${help}.`)
  const said = error.message.replace(/^error: /, '')
  const sentence = said.charAt(0).toUpperCase() + said.slice(1)
  return usageFailure(`${sentence}${sentence.endsWith('.') ? '' : '.'} See ${help}.`)
}

const isHelp = (error: CommanderError): boolean => error.exitCode === 0

/** Resolves after the interrupt and a little time for the command to say its last words. */
const interruption = (io: CliIo): Promise<number> =>
  new Promise((resolve) => {
    const wait = (): void => void setTimeout(() => resolve(EXIT.interrupted), INTERRUPT_GRACE_MS)
    if (io.interrupt.aborted) wait()
    else io.interrupt.addEventListener('abort', wait, { once: true })
  })

/** Runs one command line. Never throws; a bug is told with its stack and gives exit code 1. */
export const runProgram = async (
  argv: readonly string[],
  io: CliIo,
  session: Session = createSession(io),
): Promise<number> => {
  let exitCode: number = EXIT.ok
  let helpText = ''
  const program = createProgram(
    { io, session },
    (code) => {
      exitCode = code
    },
    (text) => {
      helpText += text
    },
  )
  const isJson = argv.includes('--json')
  const run = async (): Promise<number> => {
    try {
      if (argv.length === 0) io.stdout.write(program.helpInformation())
      else await program.parseAsync([...argv], { from: 'user' })
      return exitCode
    } catch (error) {
      if (io.interrupt.aborted) return EXIT.interrupted
      if (error instanceof CommanderError) {
        if (isHelp(error)) return EXIT.ok
        // `godwit node` alone: its help is the answer, but nothing was done.
        if (error.code === 'commander.help') io.stderr.write(helpText)
        return tellFailure(io, usageOf(error, program, argv), isJson, TRANSFER_RUNS.has(argv[0] ?? ''))
      }
      if (error instanceof CliFailure) return tellFailure(io, error, isJson, TRANSFER_RUNS.has(argv[0] ?? ''))
      io.stderr.write(`godwit: This is a bug in Godwit.\n${error instanceof Error ? error.stack : String(error)}\n`)
      return EXIT.bug
    }
  }
  return Promise.race([run(), interruption(io)])
}
