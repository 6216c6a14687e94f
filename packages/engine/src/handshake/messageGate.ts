/**
 * What stands in front of every machine: one message at a time, of this run, of the type whose turn it is. Everything
 * else is ignored, so that a mailbox may repeat itself and deliver late messages of a run that was given up.
 */
import { decodeHead, type MessageName, runIdText } from '@godwit/protocol/handshakeMessages'
import { type HandshakeStep, ignored } from './types.js'

export class MessageGate {
  /** The type whose turn it is; null when the run is over. */
  expected: MessageName | null
  #runId: string
  #last: Promise<unknown> = Promise.resolve()

  /** Without a run id, the first message of the expected type decides it. */
  constructor(expected: MessageName | null, runId?: Uint8Array) {
    this.expected = expected
    this.#runId = runId === undefined ? '' : runIdText(runId)
  }

  get runId(): string {
    return this.#runId
  }

  /** Hands a private copy of `message` to `step` when it is its turn; `step` sets `expected` anew or the run is over. */
  pass(message: Uint8Array, step: (message: Uint8Array) => Promise<HandshakeStep>): Promise<HandshakeStep> {
    const head = decodeHead(message)
    if (head === undefined) return Promise.resolve(ignored('foreign'))
    const copy = message.slice()
    const result = this.#last.then(() => {
      if (this.#runId !== '' && head.runId !== this.#runId) return ignored('foreign')
      if (head.name !== this.expected) return ignored('unexpected')
      this.#runId = head.runId
      this.expected = null
      return step(copy)
    })
    this.#last = result.catch(() => undefined)
    return result
  }
}
