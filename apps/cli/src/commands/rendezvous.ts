/** `godwit rendezvous`: the meeting place of senders and receivers, in the foreground. */
import { resolve } from 'node:path'
import { z } from 'zod'
import { programs } from '../client/programs.js'
import { runChildProgram } from './childProgram.js'
import type { JsonOption, RegisterCommand } from './command.js'
import { JSON_OPTION, outputOf } from './command.js'

interface RendezvousOptions extends JsonOption {
  readonly listen?: string
  readonly udpPort?: string
  readonly dataDir?: string
}

const readySchema = z.object({
  type: z.literal('rendezvous.ready'),
  url: z.string(),
  port: z.number(),
  udpPort: z.number(),
})

const parsed = (line: string): unknown => {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

export const registerRendezvous: RegisterCommand = (program, context, done) => {
  program
    .command('rendezvous')
    .description('run a rendezvous, where senders and receivers find each other')
    .option('--listen <host:port>', 'the address and TCP port to listen on')
    .option('--udp-port <n>', 'the UDP port (default: the number of the TCP port)')
    .option('--data-dir <dir>', 'where it keeps its rooms')
    .option(...JSON_OPTION)
    .action(async (options: RendezvousOptions) => {
      const { io } = context
      const output = outputOf(context, options)
      context.io.takeInterrupt()
      const args = ['--exit-with-parent']
      if (options.listen !== undefined) args.push('--listen', options.listen)
      if (options.udpPort !== undefined) args.push('--udp-port', options.udpPort)
      if (options.dataDir !== undefined) args.push('--data-dir', resolve(io.cwd, options.dataDir))
      const exitCode = await runChildProgram({
        program: programs.rendezvous,
        args,
        env: io.env,
        // The pipe to its stdin is how it learns that this command was killed.
        stdio: ['pipe', 'pipe', 'inherit'],
        onLine: (line) => {
          if (output.isJson) {
            io.stdout.write(`${line}\n`)
            return
          }
          const ready = readySchema.safeParse(parsed(line)).data
          if (ready === undefined) return
          io.stdout.write(
            `The rendezvous answers on TCP port ${ready.port} and UDP port ${ready.udpPort}: ${ready.url}\n`,
          )
          output.say('Senders name it with --rendezvous or GODWIT_RENDEZVOUS. Ctrl-C ends it.')
        },
      })
      done(exitCode)
    })
}
