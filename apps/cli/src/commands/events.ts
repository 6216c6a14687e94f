/** `godwit events ID`: the transfer's log, as it stands and, with `--follow`, as it grows. */
import type { EventLine } from '@godwit/protocol/api'
import { EXIT } from '@godwit/protocol/errors'
import { printable } from '../render/printable.js'
import { transferIdOf } from './arguments.js'
import type { JsonOption, RegisterCommand } from './command.js'
import { JSON_OPTION, outputOf } from './command.js'

const eventText = (line: EventLine): string =>
  `${String(line.version).padStart(5)}  ${line.at}  ${line.event}  ${printable(JSON.stringify(line.data))}`

export const registerEvents: RegisterCommand = (program, context, done) => {
  program
    .command('events')
    .description("print a transfer's events, oldest first")
    .argument('<id>', 'the transfer')
    .option('--follow', 'go on with events as they happen, until Ctrl-C')
    .option(...JSON_OPTION)
    .action(async (id: string, options: JsonOption & { readonly follow?: boolean }) => {
      const output = outputOf(context, options)
      const transferId = transferIdOf(id)
      if (options.follow === true) {
        for await (const line of context.session.followEvents(transferId)) output.result(line, () => eventText(line))
        done(EXIT.interrupted)
        return
      }
      const lines = await context.session.call((client) => client.transfers.events.query({ transferId }))
      for (const line of lines) output.result(line, () => eventText(line))
      done(EXIT.ok)
    })
}
