/**
 * Resumption, seen from the sender, who answers: r0, r2 come in, r1, r3 go out.
 *
 * ```
 * (r0) ─r1→ (r2) ─r3→ resumed
 *   └─→ ignored as stale: unknown id, erased generation, wrong MAC. Nobody is told, nothing changes
 * ```
 *
 * Nothing is stored before r2 has proved that the other side lives and answers this very run, so that a recorded r0
 * moves nothing.
 */
import { assert } from '@godwit/protocol/assert'
import { concatBytes } from '@godwit/protocol/bytes'
import {
  CONFIRMATION_BYTES,
  decodeConfirm,
  decodeR0,
  encodeR1Body,
  NONCE_BYTES,
} from '@godwit/protocol/handshakeMessages'
import { decodePeerIntroduction, encodePeerIntroduction } from '@godwit/protocol/handshakeMessagesSealed'
import {
  type Agreement,
  isConfirmed,
  makeConfirmation,
  masterSecret,
  openIntroduction,
  transcriptAfterFirst,
} from './confirmation.js'
import { lengthPrefixed } from './cpace.js'
import { chooseCipher, introduceSelf, peerOf } from './introduction.js'
import { deriveSecrets } from './keySchedule.js'
import { MessageGate } from './messageGate.js'
import { resumeAgreement, resumeMac } from './resumeKeys.js'
import { findResumption, GENERATION_MAX, type ResumptionSecret, type ResumptionSecrets, rotated } from './resumption.js'
import {
  brokenProtocol,
  type HandshakeContext,
  type HandshakeMachine,
  type HandshakeStep,
  ignored,
  send,
} from './types.js'

export class ResumeResponder implements HandshakeMachine {
  readonly #context: HandshakeContext
  readonly #secrets: ResumptionSecrets
  readonly #gate = new MessageGate('r0')
  #used: ResumptionSecret | null = null
  #agreement: Agreement | null = null

  /** `secrets`: what is stored for this receiver at the moment. */
  constructor(context: HandshakeContext, secrets: ResumptionSecrets) {
    this.#context = context
    this.#secrets = secrets
  }

  get runId(): string {
    return this.#gate.runId
  }

  handle(message: Uint8Array): Promise<HandshakeStep> {
    return this.#gate.pass(message, (turn) =>
      this.#agreement === null ? Promise.resolve(this.#takeR0(turn)) : this.#takeR2(turn),
    )
  }

  #takeR0(message: Uint8Array): HandshakeStep {
    const { crypto } = this.#context
    const r0 = decodeR0(message)
    if (r0 === undefined) return brokenProtocol('The resumption of the other side is damaged')
    const secret = findResumption(crypto, this.#secrets, r0.resumptionId, r0.generation)
    if (secret === undefined || secret.generation > GENERATION_MAX) return ignored('stale')
    const covered = message.subarray(0, message.length - CONFIRMATION_BYTES)
    if (!crypto.isEqual(resumeMac(crypto, 'r0', secret, covered), r0.mac)) return ignored('stale')
    const ephemeral = crypto.x25519KeyPair()
    const nonce = crypto.randomBytes(NONCE_BYTES)
    const body = encodeR1Body({ runId: r0.runId, nonce, point: ephemeral.publicKey })
    const r1 = concatBytes(body, resumeMac(crypto, 'r1', secret, lengthPrefixed(message, body)))
    const agreement = resumeAgreement(crypto, message, r1, secret, ephemeral.secretKey, r0.point)
    if (agreement === undefined) return brokenProtocol('The key of the other side is not acceptable')
    this.#used = secret
    this.#agreement = agreement
    this.#gate.expected = 'r2'
    return send(r1)
  }

  async #takeR2(message: Uint8Array): Promise<HandshakeStep> {
    const { crypto } = this.#context
    const agreement = this.#agreement
    const used = this.#used
    assert(agreement !== null && used !== null, 'r2 comes after r0')
    const r2 = decodeConfirm('r2', message)
    if (r2 === undefined) return brokenProtocol('The confirmation of the other side is damaged')
    if (!isConfirmed(crypto, 'R', agreement.prk, agreement.transcript, r2)) {
      return brokenProtocol('The confirmation does not come from the other side')
    }
    const opened = openIntroduction(crypto, 'resumption', 'R', agreement.prk, r2)
    const receiver = opened === undefined ? undefined : decodePeerIntroduction(opened)
    if (receiver === undefined) return brokenProtocol('The introduction of the other side is damaged')
    const packetCipher = chooseCipher(this.#context, receiver)
    if (packetCipher === undefined) return brokenProtocol('The two sides have no cipher of packets in common')
    const introduction = encodePeerIntroduction(await introduceSelf(this.#context, [packetCipher]))
    const transcript = transcriptAfterFirst(crypto, agreement.transcript, message)
    const r3 = makeConfirmation(crypto, 'resumption', 'S', agreement.prk, transcript, r2.runId, introduction)
    const derived = deriveSecrets(
      crypto,
      masterSecret(crypto, 'resumption', agreement, message, r3),
      used.generation + 1,
    )
    return {
      kind: 'resumed',
      message: r3,
      session: {
        trafficSecrets: derived.trafficSecrets,
        connectionIds: derived.connectionIds,
        packetCipher,
        resumption: rotated(used, derived.resumption),
        peer: peerOf(this.#context, receiver),
      },
    }
  }
}
