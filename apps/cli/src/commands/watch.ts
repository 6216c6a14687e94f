/** `godwit watch ID`: progress to the end. It answers no offers: that is for accept and decline. */
import { offerText } from '../render/transferText.js'
import { transferIdOf } from './arguments.js'
import type { JsonOption, RegisterCommand } from './command.js'
import { JSON_OPTION, outputOf } from './command.js'
import { followTransfer } from './followTransfer.js'

export const registerWatch: RegisterCommand = (program, context, done) => {
  program
    .command('watch')
    .description('show the progress of a transfer until it ends')
    .argument('<id>', 'the transfer')
    .option(...JSON_OPTION)
    .action(async (id: string, options: JsonOption) => {
      const output = outputOf(context, options)
      const transferId = transferIdOf(id)
      const exitCode = await followTransfer({
        context,
        output,
        transferId,
        verb: 'Completed',
        onOffer: async (offer) => {
          if (!output.isJson) output.say(offerText(offer))
          return 'go on'
        },
      })
      done(exitCode)
    })
}
