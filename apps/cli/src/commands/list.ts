/** `godwit list` and `godwit show ID`: what the node keeps. */
import { EXIT } from '@godwit/protocol/errors'
import { transferList, transferText } from '../render/transferText.js'
import { transferIdOf } from './arguments.js'
import type { JsonOption, RegisterCommand } from './command.js'
import { JSON_OPTION, outputOf } from './command.js'

export const registerList: RegisterCommand = (program, context, done) => {
  program
    .command('list')
    .description('list the transfers of this node, the newest first')
    .option(...JSON_OPTION)
    .action(async (options: JsonOption) => {
      const output = outputOf(context, options)
      const views = await context.session.call((client) => client.transfers.list.query())
      if (output.isJson) for (const view of views) output.result(view, () => '')
      else context.io.stdout.write(`${transferList(views)}\n`)
      done(EXIT.ok)
    })

  program
    .command('show')
    .description('show everything about one transfer')
    .argument('<id>', 'the transfer')
    .option(...JSON_OPTION)
    .action(async (id: string, options: JsonOption) => {
      const transferId = transferIdOf(id)
      const view = await context.session.call((client) => client.transfers.get.query({ transferId }))
      outputOf(context, options).result(view, () => transferText(view))
      done(EXIT.ok)
    })
}
