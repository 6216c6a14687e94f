/** `godwit node start|stop|status`: the node of the data directory. */
import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import type { NodeSettings, NodeStatus } from '@godwit/protocol/api'
import { EXIT } from '@godwit/protocol/errors'
import { SENDING_MAX } from '@godwit/protocol/limits'
import { formatRate } from '@godwit/protocol/rate'
import { findNode, isAlive } from '../client/openNode.js'
import { programs } from '../client/programs.js'
import { ensureDataDir, readNodeFile, readStartError } from '../dataDir.js'
import { CliFailure } from '../failure.js'
import { printable } from '../render/printable.js'
import { rateOf, wholeNumberOf } from './arguments.js'
import { runChildProgram } from './childProgram.js'
import type { CommandContext, JsonOption, RegisterCommand } from './command.js'
import { JSON_OPTION, outputOf } from './command.js'

/** Milliseconds for a node to checkpoint, close its sessions and end its Redis. */
const STOP_TIMEOUT_MS = 25_000
const POLL_MS = 50

const statusText = (status: NodeStatus): string =>
  [
    `The node runs: process ${status.pid}, version ${status.version}, since ${status.startedAt}.`,
    `data directory  ${printable(status.dataDir)}`,
    `log             ${printable(status.dataDir)}/node.log`,
    `API             ${status.address}`,
    `redis           ${status.redis.mode}, version ${status.redis.version}${status.redis.ok ? '' : ', does not answer'}`,
    `transfers       ${status.transfers.unfinished} unfinished, ${status.transfers.finished} finished`,
    `sends           ${status.settings.maxSending} at once, limit ${formatRate(status.settings.limit)}`,
    ...(status.rendezvous === null
      ? []
      : [`rendezvous      ${status.rendezvous.url}, told as ${status.rendezvous.advertise}`]),
  ].join('\n')

const startInForeground = (context: CommandContext): Promise<number> => {
  const { io, session } = context
  context.io.takeInterrupt()
  ensureDataDir(session.dataDir)
  const since = Date.now()
  return runChildProgram({
    program: programs.node,
    args: ['--foreground'],
    env: { ...io.env, GODWIT_DATA_DIR: session.dataDir },
    stdio: 'inherit',
  }).then((exitCode) => {
    const startError = exitCode === EXIT.setUp ? readStartError(session.dataDir, since) : undefined
    if (startError !== undefined) throw new CliFailure(startError.code, startError.message)
    return exitCode
  })
}

/** Ends a node that does not answer, by its supervisor. Tells whether there was one. */
const stopByForce = (context: CommandContext): Promise<boolean> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [programs.supervisor, '--stop'], {
      env: { ...context.io.env, GODWIT_DATA_DIR: context.session.dataDir },
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    let said = ''
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString('utf8')
    })
    child.once('error', reject)
    child.once('close', () => resolve(said.trim() === 'stopped'))
  })

/** Stops the node and waits until its processes are gone. */
const stop = async (context: CommandContext): Promise<boolean> => {
  const { dataDir } = context.session
  const file = readNodeFile(dataDir)
  const found = await findNode(dataDir)
  if (!('client' in found) || file === undefined) return stopByForce(context)
  await found.client.node.stop.mutate()
  const pids = [file.pid, ...(file.supervisorPid === null ? [] : [file.supervisorPid])]
  const deadline = performance.now() + STOP_TIMEOUT_MS
  while (pids.some(isAlive)) {
    if (performance.now() > deadline) return stopByForce(context)
    await sleep(POLL_MS)
  }
  return true
}

export const registerNode: RegisterCommand = (program, context, done) => {
  const node = program.command('node').description('start, stop or look at the node of this data directory')
  node
    .command('start')
    .description('start the node, where none runs')
    .option('--foreground', 'run it in this process, for systemd and containers')
    .option(...JSON_OPTION)
    .action(async (options: JsonOption & { readonly foreground?: boolean }) => {
      if (options.foreground === true) {
        done(await startInForeground(context))
        return
      }
      const { status } = await context.session.open()
      outputOf(context, options).result(status, () => statusText(status))
      done(EXIT.ok)
    })
  node
    .command('stop')
    .description('stop the node; unfinished transfers go on when it is started again')
    .option(...JSON_OPTION)
    .action(async (options: JsonOption) => {
      const wasRunning = await stop(context)
      outputOf(context, options).result({ type: 'node.stopped', wasRunning } as const, () =>
        wasRunning ? 'The node has stopped.' : 'No node was running.',
      )
      done(EXIT.ok)
    })
  const configure = async (change: Partial<NodeSettings>, options: JsonOption): Promise<void> => {
    const settings = await context.session.call((client) => client.node.configure.mutate(change))
    const { limit, maxSending } = settings
    outputOf(context, options).result(
      settings,
      () => `The node sends ${maxSending} transfers at once, limit ${formatRate(limit)}.`,
    )
    done(EXIT.ok)
  }
  node
    .command('limit')
    .description('limit everything that this node sends, shared by the priorities of the transfers')
    .argument('<rate>', '20MB/s, 500mbit, unlimited')
    .option(...JSON_OPTION)
    .action((rate: string, options: JsonOption) => configure({ limit: rateOf(rate) }, options))
  node
    .command('sending')
    .description('set how many transfers send at once; more are queued, by priority')
    .argument('<n>', `1 to ${SENDING_MAX}`)
    .option(...JSON_OPTION)
    .action((n: string, options: JsonOption) =>
      configure({ maxSending: wholeNumberOf(n, 'node sending', 1, SENDING_MAX) }, options),
    )
  node
    .command('status')
    .description('tell whether the node runs, and how it is')
    .option(...JSON_OPTION)
    .action(async (options: JsonOption) => {
      const { status } = await context.session.find()
      outputOf(context, options).result(status, () => statusText(status))
      done(EXIT.ok)
    })
}
