/**
 * Pairing, seen from the sender, who answers: m0, m2, m4 come in, m1, m3, m5 go out.
 *
 * ```
 * (m0) ─m1→ (m2) ─m3→ (m4) ─m5→ paired
 *   └─────────┴─────────┴──────→ failed: with `countsAsGuess` when m4's confirmation is wrong, and only then
 * ```
 *
 * It says nothing that depends on the words before the other side has proved to know them. One object serves one run of
 * one receiver; runs of different receivers share nothing but the room's passphrase and key.
 */
import { assert } from '@godwit/protocol/assert'
import {
  decodeConfirm,
  decodeM0,
  decodeShare,
  encodeM1,
  encodeShare,
  type M1,
  NONCE_BYTES,
  ROOM_SALT_BYTES,
} from '@godwit/protocol/handshakeMessages'
import { decodePeerIntroduction, encodeSenderIntroduction } from '@godwit/protocol/handshakeMessagesSealed'
import type { OfferPreview } from '@godwit/protocol/offer'
import type { KeyPair } from '../ports/handshakeCrypto.js'
import {
  type Agreement,
  isConfirmed,
  makeConfirmation,
  masterSecret,
  openIntroduction,
  transcriptAfterFirst,
} from './confirmation.js'
import { chooseCipher, introduceSelf, peerOf } from './introduction.js'
import { deriveSecrets } from './keySchedule.js'
import { MessageGate } from './messageGate.js'
import {
  type Greeting,
  greeting,
  HANDSHAKE_SUITE,
  HANDSHAKE_VERSION,
  pairingAgreement,
  pairingShare,
  type RoomPassphrase,
  roomKeyStatement,
} from './pairingKeys.js'
import {
  brokenProtocol,
  failed,
  type HandshakeContext,
  type HandshakeMachine,
  type HandshakeStep,
  send,
} from './types.js'

/** What the sender brings into every pairing of its room. */
export interface RoomIdentity {
  readonly passphrase: RoomPassphrase
  /** Ed25519: the same for all receivers of the room. */
  readonly roomKey: KeyPair
  readonly offer: OfferPreview
}

export class PairingResponder implements HandshakeMachine {
  readonly #context: HandshakeContext
  readonly #room: RoomIdentity
  readonly #gate = new MessageGate('m0')
  #greeting: Greeting | null = null
  #agreement: Agreement | null = null

  constructor(context: HandshakeContext, room: RoomIdentity) {
    this.#context = context
    this.#room = room
  }

  get runId(): string {
    return this.#gate.runId
  }

  handle(message: Uint8Array): Promise<HandshakeStep> {
    return this.#gate.pass(message, (turn) => {
      if (this.#greeting === null) return Promise.resolve(this.#takeM0(turn))
      if (this.#agreement === null) return this.#takeM2(turn)
      return this.#takeM4(turn)
    })
  }

  #takeM0(message: Uint8Array): HandshakeStep {
    const { crypto } = this.#context
    const m0 = decodeM0(message)
    if (m0 === undefined) return brokenProtocol('The greeting of the other side is damaged')
    if (!m0.versions.includes(HANDSHAKE_VERSION) || !m0.suites.includes(HANDSHAKE_SUITE)) {
      const refusal: M1 = {
        runId: m0.runId,
        version: 0,
        suite: 0,
        nonce: new Uint8Array(NONCE_BYTES),
        roomSalt: new Uint8Array(ROOM_SALT_BYTES),
      }
      return failed({ code: 'ERR_VERSION_UNSUPPORTED' }, { message: encodeM1(refusal) })
    }
    const nonce = crypto.randomBytes(NONCE_BYTES)
    const { roomSalt } = this.#room.passphrase
    const m1 = encodeM1({ runId: m0.runId, version: HANDSHAKE_VERSION, suite: HANDSHAKE_SUITE, nonce, roomSalt })
    this.#greeting = greeting(message, m1, m0.nonce, nonce, roomSalt)
    this.#gate.expected = 'm2'
    return send(m1)
  }

  async #takeM2(message: Uint8Array): Promise<HandshakeStep> {
    const { crypto } = this.#context
    const hello = this.#greeting
    assert(hello !== null, 'm2 comes after m0')
    const m2 = decodeShare('m2', message)
    if (m2 === undefined) return brokenProtocol('The key share of the other side is damaged')
    const prs = await this.#room.passphrase.stretched()
    if (prs === undefined) return failed({ code: 'ERR_ROOM_CLOSED' })
    const share = pairingShare(crypto, hello, prs)
    crypto.wipe(prs)
    if (share === undefined) return brokenProtocol('The key exchange failed')
    const points = { initiator: m2.point, responder: share.point }
    const agreement = pairingAgreement(crypto, hello, share.scalar, m2.point, points)
    if (agreement === undefined) return brokenProtocol('The key share of the other side is not a point')
    this.#agreement = agreement
    this.#gate.expected = 'm4'
    return send(encodeShare('m3', { runId: m2.runId, point: share.point }))
  }

  async #takeM4(message: Uint8Array): Promise<HandshakeStep> {
    const { crypto } = this.#context
    const { roomKey, offer } = this.#room
    const agreement = this.#agreement
    assert(agreement !== null, 'm4 comes after m2')
    const { prk } = agreement
    const m4 = decodeConfirm('m4', message)
    if (m4 === undefined) return brokenProtocol('The confirmation of the other side is damaged')
    if (!isConfirmed(crypto, 'R', prk, agreement.transcript, m4)) {
      crypto.wipe(prk)
      return failed({ code: 'ERR_WRONG_CODE' }, { countsAsGuess: true })
    }
    const opened = openIntroduction(crypto, 'pairing', 'R', prk, m4)
    const receiver = opened === undefined ? undefined : decodePeerIntroduction(opened)
    if (receiver === undefined) return brokenProtocol('The introduction of the other side is damaged')
    const packetCipher = chooseCipher(this.#context, receiver)
    if (packetCipher === undefined) return brokenProtocol('The two sides have no cipher of packets in common')
    const transcript = transcriptAfterFirst(crypto, agreement.transcript, message)
    const introduction = encodeSenderIntroduction({
      ...(await introduceSelf(this.#context, [packetCipher])),
      roomKey: roomKey.publicKey,
      signature: crypto.ed25519Sign(roomKey.secretKey, roomKeyStatement(transcript)),
      offer,
    })
    const m5 = makeConfirmation(crypto, 'pairing', 'S', prk, transcript, m4.runId, introduction)
    const derived = deriveSecrets(crypto, masterSecret(crypto, 'pairing', agreement, message, m5), 1)
    return {
      kind: 'paired',
      message: m5,
      pairing: {
        trafficSecrets: derived.trafficSecrets,
        connectionIds: derived.connectionIds,
        packetCipher,
        resumption: { current: derived.resumption, previous: null },
        verification: derived.verification,
        peer: peerOf(this.#context, receiver),
        senderRoomKey: roomKey.publicKey,
        offer,
      },
    }
  }
}
