/**
 * Pairing, seen from the receiver, who begins: m0, m2, m4 go out, m1, m3, m5 come in.
 *
 * ```
 * start ─m0→ (m1) ─m2→ (m3) ─m4→ (m5) ─→ paired
 *               └────────┴─────────┴──→ failed
 * ```
 *
 * It confirms first. Whoever answers without the words can test one guess with that confirmation, and no more: after
 * it, a run without a valid answer counts (`exposesGuess`). An object serves one run.
 */
import { assert } from '@godwit/protocol/assert'
import {
  decodeConfirm,
  decodeM1,
  decodeShare,
  encodeM0,
  encodeShare,
  NONCE_BYTES,
  RUN_ID_BYTES,
} from '@godwit/protocol/handshakeMessages'
import { decodeSenderIntroduction, encodePeerIntroduction } from '@godwit/protocol/handshakeMessagesSealed'
import {
  type Agreement,
  isConfirmed,
  makeConfirmation,
  masterSecret,
  openIntroduction,
  transcriptAfterFirst,
} from './confirmation.js'
import type { CpaceShare } from './cpace.js'
import { chosenCipher, introduceSelf, peerOf } from './introduction.js'
import { deriveSecrets } from './keySchedule.js'
import { MessageGate } from './messageGate.js'
import {
  type Greeting,
  greeting,
  HANDSHAKE_SUITE,
  HANDSHAKE_VERSION,
  pairingAgreement,
  pairingShare,
  roomKeyStatement,
  stretchPassphrase,
} from './pairingKeys.js'
import {
  brokenProtocol,
  failed,
  type HandshakeContext,
  type HandshakeMachine,
  type HandshakeStep,
  send,
} from './types.js'

export class PairingInitiator implements HandshakeMachine {
  readonly #context: HandshakeContext
  readonly #passphrase: Uint8Array
  readonly #runIdBytes: Uint8Array
  readonly #nonce: Uint8Array
  readonly #m0: Uint8Array
  readonly #gate: MessageGate
  #hasStarted = false
  #greeting: Greeting | null = null
  #share: CpaceShare | null = null
  #agreement: Agreement | null = null
  #m4: Uint8Array | null = null

  /** `passphrase` (see `wordsPassphrase`, `passwordPassphrase`) stays the caller's and is needed until m1 has come. */
  constructor(context: HandshakeContext, passphrase: Uint8Array) {
    const { crypto } = context
    this.#context = context
    this.#passphrase = passphrase
    this.#runIdBytes = crypto.randomBytes(RUN_ID_BYTES)
    this.#nonce = crypto.randomBytes(NONCE_BYTES)
    this.#m0 = encodeM0({
      runId: this.#runIdBytes,
      versions: [HANDSHAKE_VERSION],
      suites: [HANDSHAKE_SUITE],
      nonce: this.#nonce,
    })
    this.#gate = new MessageGate(null, this.#runIdBytes)
  }

  get runId(): string {
    return this.#gate.runId
  }

  /** m0, to be posted; once. */
  start(): Uint8Array {
    assert(!this.#hasStarted, 'a run starts once')
    this.#hasStarted = true
    this.#gate.expected = 'm1'
    return this.#m0
  }

  handle(message: Uint8Array): Promise<HandshakeStep> {
    return this.#gate.pass(message, (turn) => {
      if (this.#greeting === null) return this.#takeM1(turn)
      if (this.#agreement === null) return this.#takeM3(turn)
      return Promise.resolve(this.#takeM5(turn))
    })
  }

  async #takeM1(message: Uint8Array): Promise<HandshakeStep> {
    const { crypto } = this.#context
    const m1 = decodeM1(message)
    if (m1 === undefined) return brokenProtocol('The greeting of the other side is damaged')
    if (m1.version !== HANDSHAKE_VERSION || m1.suite !== HANDSHAKE_SUITE) {
      return failed({ code: 'ERR_VERSION_UNSUPPORTED' })
    }
    const hello = greeting(this.#m0, message, this.#nonce, m1.nonce, m1.roomSalt)
    const prs = await stretchPassphrase(crypto, this.#passphrase, m1.roomSalt)
    const share = pairingShare(crypto, hello, prs)
    crypto.wipe(prs)
    if (share === undefined) return brokenProtocol('The key exchange failed')
    this.#greeting = hello
    this.#share = share
    this.#gate.expected = 'm3'
    return send(encodeShare('m2', { runId: this.#runIdBytes, point: share.point }))
  }

  async #takeM3(message: Uint8Array): Promise<HandshakeStep> {
    const { crypto, packetCiphers } = this.#context
    const hello = this.#greeting
    const share = this.#share
    assert(hello !== null && share !== null, 'm3 comes after m1')
    const m3 = decodeShare('m3', message)
    if (m3 === undefined) return brokenProtocol('The key share of the other side is damaged')
    const points = { initiator: share.point, responder: m3.point }
    const agreement = pairingAgreement(crypto, hello, share.scalar, m3.point, points)
    if (agreement === undefined) return brokenProtocol('The key share of the other side is not a point')
    const introduction = encodePeerIntroduction(await introduceSelf(this.#context, packetCiphers))
    const { prk, transcript } = agreement
    this.#agreement = agreement
    this.#m4 = makeConfirmation(crypto, 'pairing', 'R', prk, transcript, this.#runIdBytes, introduction)
    this.#gate.expected = 'm5'
    return send(this.#m4, true)
  }

  #takeM5(message: Uint8Array): HandshakeStep {
    const { crypto } = this.#context
    const agreement = this.#agreement
    const m4 = this.#m4
    assert(agreement !== null && m4 !== null, 'm5 comes after m3')
    const m5 = decodeConfirm('m5', message)
    if (m5 === undefined) return brokenProtocol('The confirmation of the other side is damaged')
    const transcript = transcriptAfterFirst(crypto, agreement.transcript, m4)
    if (!isConfirmed(crypto, 'S', agreement.prk, transcript, m5)) {
      crypto.wipe(agreement.prk)
      return failed({ code: 'ERR_WRONG_CODE' })
    }
    const opened = openIntroduction(crypto, 'pairing', 'S', agreement.prk, m5)
    const sender = opened === undefined ? undefined : decodeSenderIntroduction(opened)
    if (sender === undefined) return brokenProtocol('The introduction of the other side is damaged')
    const packetCipher = chosenCipher(this.#context, sender)
    if (packetCipher === undefined) return brokenProtocol('The other side chose a cipher that was not offered')
    if (!crypto.ed25519Verify(sender.roomKey, roomKeyStatement(transcript), sender.signature)) {
      return brokenProtocol('The other side does not hold the key of its room')
    }
    const derived = deriveSecrets(crypto, masterSecret(crypto, 'pairing', agreement, m4, message), 1)
    return {
      kind: 'paired',
      message: null,
      pairing: {
        trafficSecrets: derived.trafficSecrets,
        connectionIds: derived.connectionIds,
        packetCipher,
        resumption: { current: derived.resumption, previous: null },
        verification: derived.verification,
        peer: peerOf(this.#context, sender),
        senderRoomKey: sender.roomKey,
        offer: sender.offer,
      },
    }
  }
}
