/** Commands to one transfer that answer at once, from accept to remove. */
import type { TransferView } from '@godwit/protocol/api'
import { EXIT } from '@godwit/protocol/errors'
import { formatRate } from '@godwit/protocol/rate'
import type { Schedule } from '@godwit/protocol/schedule'
import type { Command } from 'commander'
import type { NodeClient } from '../client/nodeClient.js'
import { usageFailure } from '../failure.js'
import { stateText } from '../render/progressText.js'
import { scheduleText } from '../render/transferText.js'
import { absolutePathOf, priorityOf, rateOf, transferIdOf, windowOf } from './arguments.js'
import type { CommandContext, JsonOption, RegisterCommand } from './command.js'
import { JSON_OPTION, outputOf } from './command.js'
import { timeOf } from './times.js'

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

interface ScheduleOptions extends JsonOption {
  readonly startAt?: string
  readonly window?: string
  readonly deadline?: string
}

const scheduleChangeOf = ({ startAt, window, deadline }: ScheduleOptions): Partial<Schedule> => {
  if (startAt === undefined && window === undefined && deadline === undefined) {
    throw usageFailure('schedule takes --start-at, --window or --deadline.')
  }
  const now = Date.now()
  return {
    ...(startAt === undefined ? {} : { startAt: startAt === 'now' ? null : timeOf(startAt, '--start-at', now) }),
    ...(window === undefined ? {} : { window: windowOf(window) }),
    ...(deadline === undefined ? {} : { deadline: deadline === 'none' ? null : timeOf(deadline, '--deadline', now) }),
  }
}

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

  program
    .command('priority')
    .description('change the place of a transfer among the others of this node')
    .argument('<id>', 'the transfer')
    .argument('<n>', '1 to 9; a higher one starts first and gets more of the limit of the node')
    .option(...JSON_OPTION)
    .action(async (id: string, n: string, options: JsonOption) => {
      const priority = priorityOf(n, 'priority')
      const transferId = transferIdOf(id)
      const view = await context.session.call((client) => client.transfers.setPriority.mutate({ transferId, priority }))
      outputOf(context, options).result(view, () => `${transferId}: priority ${view.priority}`)
      done(EXIT.ok)
    })

  withId(program, 'schedule', 'change when a transfer may run')
    .option('--start-at <time>', 'not before: 22:00, 2026-11-25T22:00, +90m, now')
    .option('--window <from-to>', 'only at this time of every day: 22:00-06:00, none')
    .option('--deadline <time>', 'fail if it is not complete by then: 22:00, 2026-11-25T22:00, +90m, none')
    .action(async (id: string, options: ScheduleOptions) => {
      const schedule = scheduleChangeOf(options)
      const transferId = transferIdOf(id)
      const view = await context.session.call((client) => client.transfers.setSchedule.mutate({ transferId, schedule }))
      outputOf(context, options).result(view, () => `${transferId}: ${scheduleText(view.schedule)}`)
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
