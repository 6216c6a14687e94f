/** Two sides of a handshake and a mailbox between them that a test may meddle with. For tests only. */

import { RoomPassphrase, wordsPassphrase } from '@godwit/engine/handshake/pairingKeys'
import type { RoomIdentity } from '@godwit/engine/handshake/pairingResponder'
import type {
  HandshakeContext,
  HandshakeMachine,
  HandshakeStep,
  Pairing,
  SessionKeys,
} from '@godwit/engine/handshake/types'
import type { HandshakeCrypto } from '@godwit/engine/ports/handshakeCrypto'
import type { CodeWords } from '@godwit/protocol/words'

export const WORDS: CodeWords = ['abacus', 'zoom', 'tiger']
export const OTHER_WORDS: CodeWords = ['abacus', 'zoom', 'timid']

/** The real crypto with a passphrase hash that costs nothing, for tests that run hundreds of handshakes. */
export const withoutStretching = (crypto: HandshakeCrypto): HandshakeCrypto => ({
  ...crypto,
  stretch: (passphrase, salt) => Promise.resolve(crypto.hmac(salt, passphrase).slice(0, 32)),
})

export const contextOf = (crypto: HandshakeCrypto, deviceName: string, port: number): HandshakeContext => ({
  crypto,
  deviceName,
  packetCiphers: ['aes256Gcm', 'chacha20Poly1305'],
  localCandidates: () =>
    Promise.resolve([
      { kind: 'host', family: 'ipv4', ip: '192.168.1.7', port },
      { kind: 'host', family: 'ipv4', ip: '127.0.0.1', port },
      { kind: 'observed', family: 'ipv6', ip: '2001:db8::7', port },
    ]),
  candidatePolicy: { allowsLoopback: false },
})

export const OFFER = { topNames: ['film.mkv'], topCount: 1, fileCount: 1, totalBytes: 40_000_000_000 }

export const roomOf = (crypto: HandshakeCrypto, words: CodeWords = WORDS): RoomIdentity => ({
  passphrase: new RoomPassphrase(crypto, wordsPassphrase(words), crypto.randomBytes(16)),
  roomKey: crypto.ed25519KeyPair(),
  offer: OFFER,
})

export interface Initiator extends HandshakeMachine {
  start(): Uint8Array
}

export interface Responder {
  handle(message: Uint8Array): Promise<HandshakeStep>
}

/** What a meddler makes of the message with this number (0 is m0 or r0): what is delivered in its place, in order. */
export type Meddler = (message: Uint8Array, number: number) => readonly Uint8Array[]

export interface Outcome {
  /** Steps of each side that were not `ignored` or `send`. */
  readonly initiator: HandshakeStep | null
  readonly responder: HandshakeStep | null
  /** Messages as they were posted. */
  readonly posted: readonly Uint8Array[]
  readonly initiatorSteps: readonly HandshakeStep[]
  readonly responderSteps: readonly HandshakeStep[]
}

const honest: Meddler = (message) => [message]

/** Runs to the end, or until nobody has anything to say any more. */
export const runHandshake = async (
  initiator: Initiator,
  responder: Responder,
  meddle: Meddler = honest,
): Promise<Outcome> => {
  const posted: Uint8Array[] = []
  const steps: Record<'initiator' | 'responder', HandshakeStep[]> = { initiator: [], responder: [] }
  let under: { to: 'initiator' | 'responder'; message: Uint8Array }[] = [
    { to: 'responder', message: initiator.start() },
  ]
  while (under.length > 0) {
    const next: typeof under = []
    for (const { to, message } of under) {
      posted.push(message)
      for (const delivered of meddle(message, posted.length - 1)) {
        const step = await (to === 'initiator' ? initiator : responder).handle(delivered)
        steps[to].push(step)
        if (step.kind !== 'ignored' && step.message !== null) {
          next.push({ to: to === 'initiator' ? 'responder' : 'initiator', message: step.message })
        }
      }
    }
    under = next
  }
  const endOf = (all: readonly HandshakeStep[]): HandshakeStep | null =>
    all.find((step) => step.kind !== 'ignored' && step.kind !== 'send') ?? null
  return {
    initiator: endOf(steps.initiator),
    responder: endOf(steps.responder),
    posted,
    initiatorSteps: steps.initiator,
    responderSteps: steps.responder,
  }
}

export const pairingOf = (step: HandshakeStep | null): Pairing | null => (step?.kind === 'paired' ? step.pairing : null)

/** The keys that a side ended with; null when it did not get there. */
export const keysOf = (step: HandshakeStep | null): SessionKeys | null => {
  if (step?.kind === 'paired') return step.pairing
  return step?.kind === 'resumed' ? step.session : null
}

export const failureOf = (step: HandshakeStep | null): string | null =>
  step?.kind === 'failed' ? step.failure.code : null
