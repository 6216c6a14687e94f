/**
 * Resumption, seen from the receiver, who begins: r0, r2 go out, r1, r3 come in.
 *
 * ```
 * start ─r0→ (r1) ─r2→ (r3) ─→ resumed
 * ```
 *
 * It begins from the secret that the caller picks: `current`; should that stay without an answer (a disk of the other
 * side went back in time), `previous`. No words are needed and none can be guessed: the secret has 256 bits.
 */
import { assert } from '@godwit/protocol/assert'
import { concatBytes } from '@godwit/protocol/bytes'
import {
  decodeConfirm,
  decodeR1,
  encodeR0Body,
  encodeR1Body,
  NONCE_BYTES,
  RUN_ID_BYTES,
} from '@godwit/protocol/handshakeMessages'
import { decodePeerIntroduction, encodePeerIntroduction } from '@godwit/protocol/handshakeMessagesSealed'
import type { KeyPair } from '../ports/handshakeCrypto.js'
import {
  type Agreement,
  isConfirmed,
  makeConfirmation,
  masterSecret,
  openIntroduction,
  transcriptAfterFirst,
} from './confirmation.js'
import { lengthPrefixed } from './cpace.js'
import { chosenCipher, introduceSelf, peerOf } from './introduction.js'
import { deriveSecrets } from './keySchedule.js'
import { MessageGate } from './messageGate.js'
import { resumeAgreement, resumeMac } from './resumeKeys.js'
import { GENERATION_MAX, type ResumptionSecret, rotated } from './resumption.js'
import { brokenProtocol, type HandshakeContext, type HandshakeMachine, type HandshakeStep, send } from './types.js'

export class ResumeInitiator implements HandshakeMachine {
  readonly #context: HandshakeContext
  readonly #secret: ResumptionSecret
  readonly #runIdBytes: Uint8Array
  readonly #ephemeral: KeyPair
  readonly #r0: Uint8Array
  readonly #gate: MessageGate
  #hasStarted = false
  #agreement: Agreement | null = null
  #r2: Uint8Array | null = null

  /** `secret` stays the caller's. */
  constructor(context: HandshakeContext, secret: ResumptionSecret) {
    assert(secret.generation >= 1 && secret.generation <= GENERATION_MAX, 'a generation is in its range')
    const { crypto } = context
    this.#context = context
    this.#secret = secret
    this.#runIdBytes = crypto.randomBytes(RUN_ID_BYTES)
    this.#ephemeral = crypto.x25519KeyPair()
    const body = encodeR0Body({
      runId: this.#runIdBytes,
      resumptionId: secret.id,
      generation: secret.generation,
      nonce: crypto.randomBytes(NONCE_BYTES),
      point: this.#ephemeral.publicKey,
    })
    this.#r0 = concatBytes(body, resumeMac(crypto, 'r0', secret, body))
    this.#gate = new MessageGate(null, this.#runIdBytes)
  }

  get runId(): string {
    return this.#gate.runId
  }

  /** r0, to be posted; once. */
  start(): Uint8Array {
    assert(!this.#hasStarted, 'a run starts once')
    this.#hasStarted = true
    this.#gate.expected = 'r1'
    return this.#r0
  }

  handle(message: Uint8Array): Promise<HandshakeStep> {
    return this.#gate.pass(message, (turn) =>
      this.#agreement === null ? this.#takeR1(turn) : Promise.resolve(this.#takeR3(turn)),
    )
  }

  async #takeR1(message: Uint8Array): Promise<HandshakeStep> {
    const { crypto, packetCiphers } = this.#context
    const r1 = decodeR1(message)
    if (r1 === undefined) return brokenProtocol('The answer of the other side is damaged')
    const covered = lengthPrefixed(this.#r0, encodeR1Body(r1))
    if (!crypto.isEqual(resumeMac(crypto, 'r1', this.#secret, covered), r1.mac)) {
      return brokenProtocol('The answer does not come from the other side')
    }
    const agreement = resumeAgreement(crypto, this.#r0, message, this.#secret, this.#ephemeral.secretKey, r1.point)
    if (agreement === undefined) return brokenProtocol('The key of the other side is not acceptable')
    const introduction = encodePeerIntroduction(await introduceSelf(this.#context, packetCiphers))
    const { prk, transcript } = agreement
    this.#agreement = agreement
    this.#r2 = makeConfirmation(crypto, 'resumption', 'R', prk, transcript, this.#runIdBytes, introduction)
    this.#gate.expected = 'r3'
    return send(this.#r2)
  }

  #takeR3(message: Uint8Array): HandshakeStep {
    const { crypto } = this.#context
    const agreement = this.#agreement
    const r2 = this.#r2
    assert(agreement !== null && r2 !== null, 'r3 comes after r1')
    const r3 = decodeConfirm('r3', message)
    if (r3 === undefined) return brokenProtocol('The confirmation of the other side is damaged')
    const transcript = transcriptAfterFirst(crypto, agreement.transcript, r2)
    if (!isConfirmed(crypto, 'S', agreement.prk, transcript, r3)) {
      return brokenProtocol('The confirmation does not come from the other side')
    }
    const opened = openIntroduction(crypto, 'resumption', 'S', agreement.prk, r3)
    const sender = opened === undefined ? undefined : decodePeerIntroduction(opened)
    if (sender === undefined) return brokenProtocol('The introduction of the other side is damaged')
    const packetCipher = chosenCipher(this.#context, sender)
    if (packetCipher === undefined) return brokenProtocol('The other side chose a cipher that was not offered')
    const master = masterSecret(crypto, 'resumption', agreement, r2, message)
    const derived = deriveSecrets(crypto, master, this.#secret.generation + 1)
    return {
      kind: 'resumed',
      message: null,
      session: {
        trafficSecrets: derived.trafficSecrets,
        connectionIds: derived.connectionIds,
        packetCipher,
        resumption: rotated(this.#secret, derived.resumption),
        peer: peerOf(this.#context, sender),
      },
    }
  }
}
