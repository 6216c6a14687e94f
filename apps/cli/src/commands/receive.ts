/** `godwit receive CODE`: shows the offer, asks, and follows the transfer to the verified files. */
import type { EnqueuedLine, OfferedLine } from '@godwit/protocol/api'
import { formatAddress, parseCode, parseRoomName } from '@godwit/protocol/code'
import { EXIT } from '@godwit/protocol/errors'
import { must, usageFailure } from '../failure.js'
import { offerText } from '../render/transferText.js'
import { absolutePathOf, chosenRendezvous, newSubmissionId, rendezvousOf, secretFromStdin } from './arguments.js'
import type { CommandContext, JsonOption, RegisterCommand } from './command.js'
import { JSON_OPTION, outputOf } from './command.js'
import type { AfterOffer } from './followTransfer.js'
import { followTransfer, sayGoesOn } from './followTransfer.js'
import { passwordOf } from './password.js'
import { askText, askYesNo, canAsk } from './prompts.js'

interface ReceiveOptions extends JsonOption {
  readonly codeStdin?: boolean
  readonly room?: string
  readonly passwordStdin?: boolean
  readonly rendezvous?: string
  readonly output?: string
  readonly yes?: boolean
  readonly detach?: boolean
}

/** What to receive: a code (from the argument, stdin or the prompt), or a room with its password. */
const sourceOf = async (context: CommandContext, argument: string | undefined, options: ReceiveOptions) => {
  const { io } = context
  const rendezvous = chosenRendezvous(options.rendezvous, io)
  const named = rendezvous === undefined ? {} : { rendezvous }
  if (options.room !== undefined) {
    if (argument !== undefined || options.codeStdin === true)
      throw usageFailure('Give either a code or --room, not both.')
    const room = must(parseRoomName(options.room))
    const own = room.rendezvous === null ? named : { rendezvous: rendezvousOf(formatAddress(room.rendezvous)) }
    return { room: { name: room.name, password: await passwordOf(io, options.passwordStdin === true) }, ...own }
  }
  if (options.passwordStdin === true) throw usageFailure('--password-stdin goes with --room.')
  let code = argument
  if (options.codeStdin === true) {
    if (argument !== undefined) throw usageFailure('Give the code either as an argument or with --code-stdin.')
    code = await secretFromStdin(io, '--code-stdin')
  }
  if (code === undefined && canAsk(io)) code = await askText('Code')
  if (code === undefined) throw usageFailure('receive needs a code: as its argument, or with --code-stdin.')
  // A code that cannot be one is refused before a node is started for it.
  must(parseCode(code))
  return { code, ...named }
}

const run = async (context: CommandContext, argument: string | undefined, options: ReceiveOptions): Promise<number> => {
  const output = outputOf(context, options)
  const { io, session } = context
  const outputDir = absolutePathOf(options.output ?? '.', io)
  const source = await sourceOf(context, argument, options)
  const input = { ...source, submissionId: newSubmissionId(), output: outputDir, yes: options.yes === true }
  const enqueued: EnqueuedLine = await session.call((client) => client.transfers.enqueueReceive.mutate(input))
  const { transferId } = enqueued
  output.result(enqueued, () => `Transfer:  ${transferId}`)
  if (options.detach === true) {
    if (!output.isJson) sayGoesOn(output, transferId)
    return EXIT.ok
  }

  const sayHowToAnswer = (): void =>
    output.say(`The offer stays open. godwit accept ${transferId} takes it, godwit decline ${transferId} refuses it.`)

  const onOffer = async (offer: OfferedLine): Promise<AfterOffer> => {
    const isAsking = !output.isJson && options.yes !== true && canAsk(io)
    // The offer is the result where the command ends with it, and talk where it goes on.
    if (!output.isJson && (isAsking || options.yes === true)) output.say(offerText(offer))
    if (options.yes === true) return 'go on'
    if (!isAsking) {
      if (!output.isJson) io.stdout.write(`${offerText(offer)}\n`)
      sayHowToAnswer()
      return { exit: EXIT.ok }
    }
    const isAccepted = await askYesNo(`Receive into ${outputDir}?`)
    if (isAccepted === undefined) {
      sayHowToAnswer()
      return { exit: EXIT.interrupted }
    }
    await session.call(
      (client) =>
        isAccepted ? client.transfers.accept.mutate({ transferId }) : client.transfers.decline.mutate({ transferId }),
      false,
    )
    if (isAccepted) return 'go on'
    output.say('Declined. Nothing was received.')
    return { exit: EXIT.refused }
  }
  return followTransfer({ context, output, transferId, verb: 'Received', onOffer })
}

export const registerReceive: RegisterCommand = (program, context, done) => {
  program
    .command('receive')
    .description('receive what a code stands for')
    .argument('[code]', 'what the sender told you; without one you are asked')
    .option('--code-stdin', 'read the code from stdin')
    .option('--room <name[@host:port]>', 'a public room name instead of a code')
    .option('--password-stdin', 'read the password of --room from stdin')
    .option('--rendezvous <url>', 'the rendezvous to meet at where the code names none (default: GODWIT_RENDEZVOUS)')
    .option('--output <dir>', 'the folder to receive into (default: this one)')
    .option('--yes', 'accept whatever is offered')
    .option('--detach', 'return at once; the transfer goes on')
    .option(...JSON_OPTION)
    .action(async (code: string | undefined, options: ReceiveOptions) => done(await run(context, code, options)))
}
