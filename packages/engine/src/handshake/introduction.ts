/**
 * What the two sides tell each other inside of their confirmations, and what they agree on by it: the receiver names the
 * AEADs that it can open and seal packets with, the sender chooses one. Both lists are sealed and covered by the
 * confirmations' MACs.
 */
import { usableCandidates } from '@godwit/protocol/candidates'
import type { PeerIntroduction } from '@godwit/protocol/handshakeMessagesSealed'
import type { PacketCipher } from '@godwit/protocol/packetCipher'
import type { HandshakeContext, Peer } from './types.js'

/** What this side says; the receiver names all its ciphers, the sender the one that it chose. */
export const introduceSelf = async (
  { deviceName, localCandidates }: HandshakeContext,
  packetCiphers: readonly PacketCipher[],
): Promise<PeerIntroduction> => ({ deviceName, packetCiphers, candidates: await localCandidates() })

/** The sender's choice: the first of its own that the receiver offers; undefined where there is none. */
export const chooseCipher = (
  { packetCiphers }: HandshakeContext,
  receiver: PeerIntroduction,
): PacketCipher | undefined => packetCiphers.find((cipher) => receiver.packetCiphers.includes(cipher))

/** What the sender chose; undefined where that is not one of those that this side offered. */
export const chosenCipher = (
  { packetCiphers }: HandshakeContext,
  sender: PeerIntroduction,
): PacketCipher | undefined => {
  const [chosen, ...others] = sender.packetCiphers
  return chosen !== undefined && others.length === 0 && packetCiphers.includes(chosen) ? chosen : undefined
}

export const peerOf = ({ candidatePolicy }: HandshakeContext, { deviceName, candidates }: PeerIntroduction): Peer => ({
  deviceName,
  candidates: usableCandidates(candidates, candidatePolicy),
})
