/** Commands to one transfer that answer at once: accept, decline, pause, resume, cancel, retry, limit, remove. */
import type { TransferView } from '@godwit/protocol/api'
import { EXIT } from '@godwit/protocol/errors'
import { formatRate } from '@godwit/protocol/rate'
import type { Command } from 'commander'
import type { NodeClient } from '../client/nodeClient.js'
import { stateText } from '../render/progressText.js'
import { absolutePathOf, rateOf, transferIdOf } from './arguments.js'
import type { CommandContext, JsonOption, RegisterCommand } from './command.js'
import { JSON_OPTION, outputOf } from './command.js'

type ViewCall = (client: NodeClient, transferId: string) => Promise<TransferView>

/** Runs one command on a transfer and tells the state that it is in now. */
const tellView = async (context: CommandContext, id: string, options: JsonOption, call: ViewCall): Promise<number> => {
  const transferId = transferIdOf(id)
  const view = await context.session.call((client) => call(client, transferId))
  outputOf(context, options).result(view, () => `${transferId}: ${stateText(view.state)}`)
  return EXIT.ok
}

/** The commands that need nothing but the id. */
const PLAIN: readonly { readonly name: string; readonly description: string; readonly call: ViewCall }[] = [
  {
    name: 'decline',
    description: 'refuse an offer',
    call: (client, transferId) => client.transfers.decline.mutate({ transferId }),
  },
  {
    name: 'pause',
    description: 'pause a transfer until it is resumed',
    call: (client, transferId) => client.transfers.pause.mutate({ transferId }),
  },
  {
    name: 'resume',
    description: 'go on with a paused transfer',
    call: (client, transferId) => client.transfers.resume.mutate({ transferId }),
  },
  {
    name: 'cancel',
    description: 'end a transfer for good',
    call: (client, transferId) => client.transfers.cancel.mutate({ transferId }),
  },
  {
    name: 'retry',
    description: 'take a failed transfer up again',
    call: (client, transferId) => client.transfers.retry.mutate({ transferId }),
  },
]

const withId = (program: Command, name: string, description: string): Command =>
  program
    .command(name)
    .description(description)
    .argument('<id>', 'the transfer')
    .option(...JSON_OPTION)

export const registerTransferCommands: RegisterCommand = (program, context, done) => {
  withId(program, 'accept', 'accept an offer')
    .option('--output <dir>', 'receive into this folder instead of the one that was named')
    .action(async (id: string, options: JsonOption & { readonly output?: string }) => {
      const output = options.output === undefined ? undefined : absolutePathOf(options.output, context.io)
      const call: ViewCall = (client, transferId) =>
        client.transfers.accept.mutate({ transferId, ...(output === undefined ? {} : { output }) })
      done(await tellView(context, id, options, call))
    })

  for (const { name, description, call } of PLAIN) {
    withId(program, name, description).action(async (id: string, options: JsonOption) =>
      done(await tellView(context, id, options, call)),
    )
  }

  program
    .command('limit')
    .description('change how fast a transfer may go, also while it runs')
    .argument('<id>', 'the transfer')
    .argument('<rate>', '20MB/s, 500mbit, unlimited')
    .option(...JSON_OPTION)
    .action(async (id: string, rate: string, options: JsonOption) => {
      const limit = rateOf(rate)
      const transferId = transferIdOf(id)
      const view = await context.session.call((client) => client.transfers.setLimit.mutate({ transferId, limit }))
      outputOf(context, options).result(view, () => `${transferId}: limit ${formatRate(view.limit)}`)
      done(EXIT.ok)
    })

  withId(program, 'remove', 'forget a finished transfer; its files stay').action(
    async (id: string, options: JsonOption) => {
      const transferId = transferIdOf(id)
      await context.session.call((client) => client.transfers.remove.mutate({ transferId }))
      outputOf(context, options).result(
        { type: 'transfer.removed', transferId } as const,
        () => `${transferId}: removed`,
      )
      done(EXIT.ok)
    },
  )
}
