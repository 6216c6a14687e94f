/**
 * Messages over a connection's control stream: cut on the way in, queued on the way out while the stream has no room.
 */
import { type ControlMessage, ControlReader, encodeControlMessage } from '@godwit/protocol/controlMessages'

/** The part of a connection that the channel writes to. */
export interface ControlStreamPort {
  /** Takes as many of `bytes` as there is room for, from the front, and says how many. */
  writeControl(bytes: Uint8Array): number
}

export class ControlChannel {
  readonly #stream: ControlStreamPort
  readonly #reader = new ControlReader()
  readonly #outgoing: Uint8Array[] = []

  constructor(stream: ControlStreamPort) {
    this.#stream = stream
  }

  /** Whether everything was handed to the connection (not: acknowledged). */
  get isFlushed(): boolean {
    return this.#outgoing.length === 0
  }

  send(message: ControlMessage): void {
    this.#outgoing.push(encodeControlMessage(message))
    this.pump()
  }

  /** Hands on what the stream has room for; called after each input of the connection. */
  pump(): void {
    for (;;) {
      const bytes = this.#outgoing[0]
      if (bytes === undefined) return
      const taken = this.#stream.writeControl(bytes)
      if (taken < bytes.length) {
        if (taken > 0) this.#outgoing[0] = bytes.subarray(taken)
        return
      }
      this.#outgoing.shift()
    }
  }

  /** The messages that these bytes complete; undefined when the peer's stream makes no sense. */
  receive(bytes: Uint8Array): readonly ControlMessage[] | undefined {
    return this.#reader.push(bytes)
  }
}
