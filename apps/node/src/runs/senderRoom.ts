/**
 * What a sending transfer brings into the pairing of each of its receivers: the passphrase, stretched once for all of
 * them, the room's key and the offer. Read from the secrets when it is first needed, overwritten when the room is over.
 */
import { RoomPassphrase } from '@godwit/engine/handshake/pairingKeys'
import type { RoomIdentity } from '@godwit/engine/handshake/pairingResponder'
import { makeOfferPreview } from '@godwit/protocol/offer'
import type { TransferSecrets } from '../secrets/transferSecrets.js'
import type { RunContext } from './runContext.js'

export class SenderRoom {
  readonly #context: Pick<RunContext, 'crypto' | 'records'>
  readonly #transferId: string
  #identity: RoomIdentity | null = null

  constructor(context: Pick<RunContext, 'crypto' | 'records'>, transferId: string) {
    this.#context = context
    this.#transferId = transferId
  }

  /** The same for all receivers until `close`; null where the secrets are not those of an open room. */
  identity({ passphrase, roomSalt, roomKey }: TransferSecrets): RoomIdentity | null {
    const { crypto, records } = this.#context
    const record = records.get(this.#transferId)
    if (passphrase === null || roomSalt === null || roomKey === null || record === undefined) return null
    this.#identity ??= {
      passphrase: new RoomPassphrase(crypto, passphrase.text.bytes(), roomSalt.bytes()),
      roomKey: { publicKey: roomKey.publicKey.bytes(), secretKey: roomKey.secretKey.bytes() },
      offer: makeOfferPreview(record.names, record.fileCount, record.totalBytes),
    }
    return this.#identity
  }

  /** The room is locked or over: pairings under way end with it. */
  close(): void {
    const identity = this.#identity
    this.#identity = null
    if (identity === null) return
    // A stretching under way is waited for; whoever asked for it is told that the room is closed.
    void identity.passphrase.wipe()
    this.#context.crypto.wipe(identity.roomKey.secretKey)
  }
}
