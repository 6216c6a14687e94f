/** Follows one transfer to its end: progress, then the result and the exit code. `send`, `receive` and `watch` share it. */
import type { CompletedLine, OfferedLine } from '@godwit/protocol/api'
import { EXIT, exitCodeOf } from '@godwit/protocol/errors'
import type { Output } from '../output.js'
import { printable } from '../render/printable.js'
import { createProgressDisplay } from '../render/progressDisplay.js'
import { completedText, pairedText, partlyText } from '../render/transferText.js'
import type { CommandContext } from './command.js'

/** Goes on following, or ends the command with this exit code. */
export type AfterOffer = 'go on' | { readonly exit: number }

export interface FollowTransferOptions {
  readonly context: CommandContext
  readonly output: Output
  readonly transferId: string
  readonly verb: 'Sent' | 'Received' | 'Completed'
  /** What to do with the offer; it comes once, whatever breaks. Printed as a JSON line before where there is `--json`. */
  readonly onOffer: (offer: OfferedLine) => Promise<AfterOffer>
}

/** What Ctrl-C leaves behind. */
export const sayGoesOn = (output: Output, transferId: string): void =>
  output.say(
    `The transfer goes on without this command. godwit watch ${transferId} shows it, godwit cancel ${transferId} ends it.`,
  )

export const followTransfer = async (options: FollowTransferOptions): Promise<number> => {
  const { context, output, transferId } = options
  const display = createProgressDisplay(context.io)
  let hasOffer = false
  const wordsTold = new Map<string, string>()
  try {
    for await (const line of context.session.watch(transferId)) {
      switch (line.type) {
        case 'transfer.progress':
          if (output.isJson) output.result(line, () => '')
          else display.update(line)
          break
        case 'transfer.paired':
          if (wordsTold.get(line.receiver) === line.verification) break
          wordsTold.set(line.receiver, line.verification)
          if (output.isJson) output.result(line, () => '')
          else display.note(pairedText(line))
          break
        case 'transfer.offered': {
          if (hasOffer) break
          hasOffer = true
          display.clear()
          if (output.isJson) output.result(line, () => '')
          const next = await options.onOffer(line)
          if (next !== 'go on') return next.exit
          break
        }
        case 'transfer.completed':
          display.clear()
          output.result(line, () => completedText(line satisfies CompletedLine, options.verb))
          return EXIT.ok
        case 'transfer.failed':
          display.clear()
          if (output.isJson || line.missing !== undefined) output.result(line, () => partlyText(line, options.verb))
          output.say(`godwit: ${printable(line.message)} (${line.code})`)
          return exitCodeOf(line.code)
      }
    }
  } finally {
    display.clear()
  }
  // Only an interrupt ends the stream before its last line.
  sayGoesOn(output, transferId)
  return EXIT.interrupted
}
