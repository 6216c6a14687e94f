/** Which AEAD a session's packets are sealed with: offered by the receiver, chosen by the sender, changed by nobody. */
import { PairingInitiator } from '@godwit/engine/handshake/pairingInitiator'
import { wordsPassphrase } from '@godwit/engine/handshake/pairingKeys'
import { PairingResponder } from '@godwit/engine/handshake/pairingResponder'
import { ResumeInitiator } from '@godwit/engine/handshake/resumeInitiator'
import { ResumeResponder } from '@godwit/engine/handshake/resumeResponder'
import type { HandshakeCrypto } from '@godwit/engine/ports/handshakeCrypto'
import type { PacketCipher } from '@godwit/protocol/packetCipher'
import { beforeAll, expect, test } from 'vitest'
import { createHandshakeCrypto } from './handshakeCrypto.js'
import { contextOf, failureOf, keysOf, roomOf, runHandshake, WORDS, withoutStretching } from './handshakeTesting.js'

let crypto: HandshakeCrypto
beforeAll(async () => {
  crypto = withoutStretching(await createHandshakeCrypto())
})

const contexts = (receiver: readonly PacketCipher[], sender: readonly PacketCipher[]) => ({
  receiver: { ...contextOf(crypto, 'receiver', 40_001), packetCiphers: receiver },
  sender: { ...contextOf(crypto, 'sender', 40_002), packetCiphers: sender },
})

const pair = ({ receiver, sender }: ReturnType<typeof contexts>) =>
  runHandshake(new PairingInitiator(receiver, wordsPassphrase(WORDS)), new PairingResponder(sender, roomOf(crypto)))

const BOTH = ['chacha20Poly1305', 'aes256Gcm'] as const

test.each([
  [['aes256Gcm', 'chacha20Poly1305'], ['chacha20Poly1305', 'aes256Gcm'], 'chacha20Poly1305'],
  [['chacha20Poly1305', 'aes256Gcm'], ['aes256Gcm', 'chacha20Poly1305'], 'aes256Gcm'],
  [['chacha20Poly1305'], ['aes256Gcm', 'chacha20Poly1305'], 'chacha20Poly1305'],
  [['aes256Gcm', 'chacha20Poly1305'], ['chacha20Poly1305'], 'chacha20Poly1305'],
] as const)('the receiver offers %j, the sender prefers %j: %s', async (receiver, sender, chosen) => {
  const paired = await pair(contexts(receiver, sender))
  expect([keysOf(paired.initiator)?.packetCipher, keysOf(paired.responder)?.packetCipher]).toEqual([chosen, chosen])
})

test('each session chooses anew', async () => {
  const before = await pair(contexts(BOTH, ['aes256Gcm', 'chacha20Poly1305']))
  const [ours, theirs] = [keysOf(before.initiator)?.resumption, keysOf(before.responder)?.resumption]
  if (ours === undefined || theirs === undefined) throw new Error('the pairing failed')
  const { receiver, sender } = contexts(['chacha20Poly1305'], BOTH)
  const resumed = await runHandshake(new ResumeInitiator(receiver, ours.current), new ResumeResponder(sender, theirs))
  expect(keysOf(before.initiator)?.packetCipher).toBe('aes256Gcm')
  expect(keysOf(resumed.initiator)?.packetCipher).toBe('chacha20Poly1305')
})

test('two sides without a cipher in common do not agree', async () => {
  const paired = await pair(contexts(['aes256Gcm'], ['chacha20Poly1305']))
  expect(failureOf(paired.responder)).toBe('ERR_PEER_PROTOCOL')
  expect(keysOf(paired.initiator)).toBeNull()
})

test('a sender that chooses what was not offered is refused', async () => {
  const { receiver, sender } = contexts(['chacha20Poly1305'], ['aes256Gcm'])
  // It answers as if the receiver had offered its own favourite.
  const stubborn = { ...sender, packetCiphers: Object.assign([...BOTH], { find: () => 'aes256Gcm' as const }) }
  const paired = await pair({ receiver, sender: stubborn })
  expect(failureOf(paired.initiator)).toBe('ERR_PEER_PROTOCOL')
})
