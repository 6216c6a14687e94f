/** `godwit demo [PATH]`: see demo/runDemo.ts. */
import type { JsonOption, RegisterCommand } from './command.js'
import { JSON_OPTION } from './command.js'

export const registerDemo: RegisterCommand = (program, context, done) => {
  program
    .command('demo')
    .description('see a transfer survive the death of its receiver, on this machine')
    .argument('[path]', 'your own file or folder instead of 256 MiB made on the spot')
    .option(...JSON_OPTION)
    .action(async (path: string | undefined, options: JsonOption) => {
      context.io.takeInterrupt()
      const { runDemo } = await import('../demo/runDemo.js')
      done(await runDemo({ path, json: options.json === true }))
    })
}
