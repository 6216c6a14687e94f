/** Questions on a terminal. They are asked on stderr, so that stdout holds results only. */
import type { CliIo } from '../io.js'

/** Whether somebody can be asked. */
export const canAsk = (io: CliIo): boolean => io.stdin.isTTY && io.stderr.isTTY

// Loaded when a question is asked: most commands never do.
const load = () => import('@clack/prompts')

/** Undefined when the user gave up the question (Ctrl-C). */
export const askYesNo = async (question: string): Promise<boolean | undefined> => {
  const { confirm, isCancel } = await load()
  const answer = await confirm({ message: question, initialValue: false, output: process.stderr })
  return isCancel(answer) ? undefined : answer
}

export const askText = async (question: string): Promise<string | undefined> => {
  const { isCancel, text } = await load()
  const answer = await text({ message: question, output: process.stderr })
  return isCancel(answer) ? undefined : answer
}

/** The answer is not shown while it is typed. */
export const askSecret = async (question: string): Promise<string | undefined> => {
  const { isCancel, password } = await load()
  const answer = await password({ message: question, output: process.stderr })
  return isCancel(answer) ? undefined : answer
}
