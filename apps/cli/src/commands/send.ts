/** `godwit send PATH...`: enqueues, prints the code at once, then shows progress. */
import type { EnqueuedLine } from '@godwit/protocol/api'
import { parseRoomName } from '@godwit/protocol/code'
import { EXIT } from '@godwit/protocol/errors'
import { LANES_MAX, ROOM_MAX_CAPACITY } from '@godwit/protocol/limits'
import type { Schedule } from '@godwit/protocol/schedule'
import { must, usageFailure } from '../failure.js'
import { canColour } from '../io.js'
import { printable } from '../render/printable.js'
import { shellQuoted } from '../render/shellQuoted.js'
import {
  absolutePathOf,
  chosenRendezvous,
  newSubmissionId,
  priorityOf,
  profileOf,
  rateOf,
  wholeNumberOf,
  windowOf,
} from './arguments.js'
import type { CommandContext, JsonOption, RegisterCommand } from './command.js'
import { JSON_OPTION, outputOf } from './command.js'
import { followTransfer, sayGoesOn } from './followTransfer.js'
import { passwordOf } from './password.js'
import { timeOf } from './times.js'

const RECEIVERS_MAX = 10_000

interface SendOptions extends JsonOption {
  readonly capacity?: string
  readonly receivers?: string
  readonly room?: string
  readonly passwordStdin?: boolean
  readonly rendezvous?: string
  readonly advertise?: string
  readonly limit?: string
  readonly lanes?: string
  readonly profile?: string
  readonly priority?: string
  readonly startAt?: string
  readonly window?: string
  readonly deadline?: string
  readonly detach?: boolean
}

const roomOf = async (context: CommandContext, options: SendOptions) => {
  if (options.room === undefined) {
    if (options.passwordStdin === true) throw usageFailure('--password-stdin goes with --room.')
    return undefined
  }
  const room = must(parseRoomName(options.room))
  if (room.rendezvous !== null)
    throw usageFailure('--room of send takes the name only; --rendezvous names the address.')
  return { name: room.name, password: await passwordOf(context.io, options.passwordStdin === true) }
}

/** Undefined where nothing of it was asked for. */
const scheduleOf = ({ startAt, window, deadline }: SendOptions): Schedule | undefined => {
  if (startAt === undefined && window === undefined && deadline === undefined) return undefined
  const now = Date.now()
  return {
    startAt: startAt === undefined ? null : timeOf(startAt, '--start-at', now),
    window: window === undefined ? null : windowOf(window),
    deadline: deadline === undefined ? null : timeOf(deadline, '--deadline', now),
  }
}

/** The code for people: large, and the command that takes it. */
const codeText = (
  context: CommandContext,
  code: string,
  options: SendOptions,
  rendezvous: string | undefined,
): string => {
  const [bold, plain] = canColour(context.io, context.io.stdout) ? ['\u001b[1m', '\u001b[0m'] : ['', '']
  // A code without an address is looked up at the rendezvous that the receiver was told of.
  const where = rendezvous === undefined || code.includes('@') ? '' : ` --rendezvous ${rendezvous}`
  const quoted = shellQuoted(code)
  const command =
    options.room === undefined ? `godwit receive ${quoted}${where}` : `godwit receive --room ${quoted}${where}`
  return `${options.room === undefined ? 'Code' : 'Room'}:  ${bold}${code}${plain}\n\nOn the other computer:\n  ${command}\n`
}

const run = async (context: CommandContext, paths: readonly string[], options: SendOptions): Promise<number> => {
  const output = outputOf(context, options)
  const { io, session } = context
  const capacity =
    options.capacity === undefined ? 1 : wholeNumberOf(options.capacity, '--capacity', 1, ROOM_MAX_CAPACITY)
  const receivers =
    options.receivers === undefined ? undefined : wholeNumberOf(options.receivers, '--receivers', 1, RECEIVERS_MAX)
  const rendezvous = chosenRendezvous(options.rendezvous, io)
  const limit = options.limit === undefined ? null : rateOf(options.limit)
  const lanes = options.lanes === undefined ? undefined : wholeNumberOf(options.lanes, '--lanes', 1, LANES_MAX)
  const profile = options.profile === undefined ? undefined : profileOf(options.profile)
  const priority = options.priority === undefined ? undefined : priorityOf(options.priority, '--priority')
  const schedule = scheduleOf(options)
  const absolutePaths = paths.map((path) => absolutePathOf(path, io))
  const room = await roomOf(context, options)
  const input = {
    paths: absolutePaths,
    submissionId: newSubmissionId(),
    capacity,
    limit,
    ...(receivers === undefined ? {} : { receivers }),
    ...(lanes === undefined ? {} : { lanes }),
    ...(profile === undefined ? {} : { profile }),
    ...(priority === undefined ? {} : { priority }),
    ...(schedule === undefined ? {} : { schedule }),
    ...(rendezvous === undefined ? {} : { rendezvous }),
    ...(options.advertise === undefined ? {} : { advertise: options.advertise }),
    ...(room === undefined ? {} : { room }),
  }
  const enqueued: EnqueuedLine = await session.call((client) => client.transfers.enqueueSend.mutate(input))
  output.result(enqueued, () => codeText(context, enqueued.code ?? '', options, rendezvous))
  for (const { path, reason } of enqueued.skipped ?? [])
    output.say(`Not sent: ${printable(path)} (${printable(reason)})`)
  if (options.detach === true) {
    if (!output.isJson) sayGoesOn(output, enqueued.transferId)
    return EXIT.ok
  }
  return followTransfer({
    context,
    output,
    transferId: enqueued.transferId,
    verb: 'Sent',
    // A sender is offered nothing.
    onOffer: async () => 'go on',
  })
}

export const registerSend: RegisterCommand = (program, context, done) => {
  program
    .command('send')
    .description('send files and folders; prints the code that the receiver types')
    .argument('<path...>', 'files and folders; -- before one that begins with a dash')
    .option('--capacity <n>', 'receivers served at once', undefined)
    .option('--receivers <n>', 'receivers that must have everything before the transfer is complete')
    .option('--room <name>', 'a public room name instead of a code, with a password of your own')
    .option('--password-stdin', 'read the password of --room from stdin')
    .option('--rendezvous <url>', 'the rendezvous to meet at (default: GODWIT_RENDEZVOUS, else this node hosts one)')
    .option('--advertise <host:port>', 'the address that the code carries when this node hosts the rendezvous')
    .option('--limit <rate>', 'at most this fast, all receivers together: 20MB/s, 500mbit, unlimited')
    .option('--profile <profile>', 'lossy: for paths that lose packets; background: yield to others')
    .option('--lanes <n>', 'threads with a socket each (default: one, more from 8 cores on)')
    .option('--priority <n>', '1 to 9 (default: 5); a higher one starts first and gets more of the limit of the node')
    .option('--start-at <time>', 'not before: 22:00, 2026-11-25T22:00, +90m')
    .option('--window <from-to>', 'only at this time of every day: 22:00-06:00')
    .option('--deadline <time>', 'try again by itself until then, and fail if it is not complete by then')
    .option('--detach', 'return after the code; the transfer goes on')
    .option(...JSON_OPTION)
    .action(async (paths: string[], options: SendOptions) => done(await run(context, paths, options)))
}
