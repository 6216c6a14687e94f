/**
 * The sender's end of one receiver's mailbox: it gives each message to the run that it belongs to, and begins a new run
 * at m0 or r0. The newest run replaces the one before; late messages of that one are ignored by their run id.
 *
 * Time-outs (HANDSHAKE_TIMEOUT_MS) and how many receivers may be at it are the caller's.
 */
import { decodeHead } from '@godwit/protocol/handshakeMessages'
import { PairingResponder, type RoomIdentity } from './pairingResponder.js'
import { ResumeResponder } from './resumeResponder.js'
import type { ResumptionSecrets } from './resumption.js'
import { type HandshakeContext, type HandshakeStep, ignored } from './types.js'

export interface MailboxResponderOptions {
  readonly context: HandshakeContext
  /**
   * The room, as long as this receiver may pair in it; null when it is locked or closed or the receiver waits. Asked at
   * each message of a pairing, so that the guesses of runs that began before a lock are not judged after it.
   */
  readonly room: () => RoomIdentity | null
  /** What is stored for this receiver; null when nothing is. */
  readonly resumption: () => ResumptionSecrets | null
}

export class MailboxResponder {
  readonly #options: MailboxResponderOptions
  #run: PairingResponder | ResumeResponder | null = null

  constructor(options: MailboxResponderOptions) {
    this.#options = options
  }

  /** The run under way or ended last; null before the first. */
  get runId(): string | null {
    return this.#run?.runId ?? null
  }

  async handle(message: Uint8Array): Promise<HandshakeStep> {
    const head = decodeHead(message)
    if (head === undefined) return ignored('foreign')
    if (head.runId !== this.#run?.runId && (head.name === 'm0' || head.name === 'r0')) {
      return head.name === 'm0' ? this.#pair(message) : this.#resume(message)
    }
    if (this.#run instanceof PairingResponder && this.#options.room() === null) this.end()
    return this.#run === null ? ignored('unexpected') : this.#run.handle(message)
  }

  /** Gives up the run under way: its time is over. Its messages are ignored from here on. */
  end(): void {
    this.#run = null
  }

  #pair(message: Uint8Array): Promise<HandshakeStep> | HandshakeStep {
    const room = this.#options.room()
    if (room === null) return ignored('unexpected')
    this.#run = new PairingResponder(this.#options.context, room)
    return this.#run.handle(message)
  }

  /** A stale r0 leaves the run under way alone. */
  async #resume(message: Uint8Array): Promise<HandshakeStep> {
    const secrets = this.#options.resumption()
    if (secrets === null) return ignored('stale')
    const run = new ResumeResponder(this.#options.context, secrets)
    const step = await run.handle(message)
    if (step.kind === 'send') this.#run = run
    return step
  }
}
