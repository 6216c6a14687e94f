/** `godwit doctor`: what the node finds about its machine, and the line that mends what is wrong. */
import type { Doctor } from '@godwit/protocol/api'
import { EXIT } from '@godwit/protocol/errors'
import { printable } from '../render/printable.js'
import type { JsonOption, RegisterCommand } from './command.js'
import { JSON_OPTION, outputOf } from './command.js'

const doctorText = (doctor: Doctor): string =>
  doctor.checks
    .flatMap(({ name, state, detail, fix }) => [
      `${state.padEnd(7)}  ${name}: ${printable(detail)}`,
      ...(fix === null ? [] : [`         ${printable(fix)}`]),
    ])
    .join('\n')

export const registerDoctor: RegisterCommand = (program, context, done) => {
  program
    .command('doctor')
    .description('check Redis, sockets and the network, and say how to mend what is wrong')
    .option(...JSON_OPTION)
    .action(async (options: JsonOption) => {
      const doctor = await context.session.call((client) => client.node.doctor.query())
      outputOf(context, options).result(doctor, () => doctorText(doctor))
      // A problem keeps Godwit from working; a warning only makes it slower.
      done(doctor.checks.some(({ state }) => state === 'problem') ? EXIT.setUp : EXIT.ok)
    })
}
