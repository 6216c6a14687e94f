/** Somebody who knows a room's number and not its words: takes a place in it, says nothing, or guesses. */
import { PairingInitiator } from '@godwit/engine/handshake/pairingInitiator'
import { wordsPassphrase } from '@godwit/engine/handshake/pairingKeys'
import { createHandshakeCrypto } from '../../../apps/node/src/crypto/handshakeCrypto.js'
import { type ApiClient, apiClient, newToken } from '../../../apps/rendezvous/src/testing/apiClient.js'

export class Stranger {
  readonly #api: ApiClient
  readonly #token: string
  readonly #roomId: string

  private constructor(api: ApiClient, joined: { readonly token: string; readonly roomId: string }) {
    this.#api = api
    this.#token = joined.token
    this.#roomId = joined.roomId
  }

  /** Joins the room of a nameplate. @param url - of the rendezvous. */
  static async join(url: string, nameplate: string): Promise<Stranger> {
    const api = apiClient(url)
    const token = newToken()
    const joined = await api.mutate('rooms.join', token, { nameplate })
    if (!joined.ok || typeof joined.data !== 'object' || joined.data === null || !('roomId' in joined.data)) {
      throw new Error(`no place in the room: ${JSON.stringify(joined)}`)
    }
    return new Stranger(api, { token, roomId: String(joined.data.roomId) })
  }

  /** Waits until it is admitted. */
  async admitted(): Promise<void> {
    const stream = this.#api.watch(this.#roomId, this.#token)
    for await (const part of stream) {
      if (part.type !== 'item') break
      if (part.item.kind === 'event' && part.item.event.type === 'ReceiverAdmitted') return
    }
    throw new Error('the room ended before it admitted the stranger')
  }

  /** Goes as far as the confirmation of wrong words, which the sender has not seen yet; the function says it. */
  async prepareGuess(): Promise<() => Promise<unknown>> {
    const crypto = await createHandshakeCrypto()
    const initiator = new PairingInitiator(
      {
        crypto,
        deviceName: 'stranger',
        packetCiphers: ['chacha20Poly1305'],
        localCandidates: () => Promise.resolve([]),
        candidatePolicy: { allowsLoopback: true },
      },
      wordsPassphrase(['abacus', 'abacus', 'abacus']),
    )
    await this.admitted()
    await this.#post(initiator.start())
    for await (const part of this.#api.watch(this.#roomId, this.#token)) {
      if (part.type !== 'item') break
      if (part.item.kind !== 'message') continue
      const step = await initiator.handle(new Uint8Array(Buffer.from(part.item.body, 'base64')))
      if (step.kind !== 'send') continue
      if (step.exposesGuess) return () => this.#post(step.message)
      await this.#post(step.message)
    }
    throw new Error('the room ended before the guess')
  }

  #post(message: Uint8Array): Promise<unknown> {
    const body = Buffer.from(message).toString('base64')
    return this.#api.mutate('rooms.post', this.#token, { roomId: this.#roomId, body })
  }
}
