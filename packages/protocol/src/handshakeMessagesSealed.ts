/**
 * What travels sealed inside the confirmations of a handshake: addresses and names, which the rendezvous must not see.
 *
 * ```
 * m4, r2, r3   device name: length (varint), UTF-8 | packet ciphers: count 1, each 1 | candidates
 * m5           the same | room key 32 | signature 64 | offer
 * ```
 */
import { ByteReader, ByteWriter } from './bytes.js'
import { encodeUtf8, utf8Length } from './bytesText.js'
import { type Candidate, readCandidates, writeCandidates } from './candidates.js'
import { DEVICE_NAME_MAX_BYTES } from './limits.js'
import { type OfferPreview, readOffer, writeOffer } from './offer.js'
import { PACKET_CIPHER_NUMBERS, PACKET_CIPHERS_MAX, type PacketCipher, packetCipherOf } from './packetCipher.js'

/** An encoded Ed25519 public key. */
export const ROOM_KEY_BYTES = 32
export const SIGNATURE_BYTES = 64

/** m4, r2 and r3. */
export interface PeerIntroduction {
  /** As the device calls itself: to be shown through `displayName` only. */
  readonly deviceName: string
  /** By preference; of a sender the one that it chose. Numbers that this version does not know are left out. */
  readonly packetCiphers: readonly PacketCipher[]
  readonly candidates: readonly Candidate[]
}

/** m5. */
export interface SenderIntroduction extends PeerIntroduction {
  /** Ed25519 key of the sender's room: the same for all its receivers. */
  readonly roomKey: Uint8Array
  /** By the room key, over what the run has agreed on: whoever answers holds the key. */
  readonly signature: Uint8Array
  readonly offer: OfferPreview
}

const writePeer = (introduction: PeerIntroduction): ByteWriter => {
  const writer = new ByteWriter().text(cutDeviceName(introduction.deviceName))
  const { packetCiphers } = introduction
  writer.u8(packetCiphers.length).bytes(Uint8Array.from(packetCiphers, (cipher) => PACKET_CIPHER_NUMBERS[cipher]))
  writeCandidates(writer, introduction.candidates)
  return writer
}

const readPeer = (reader: ByteReader): PeerIntroduction | undefined => {
  const deviceName = reader.text(DEVICE_NAME_MAX_BYTES)
  const packetCiphers = readPacketCiphers(reader)
  const candidates = readCandidates(reader)
  if (deviceName === undefined || packetCiphers === undefined || candidates === undefined) return undefined
  return { deviceName, packetCiphers, candidates }
}

const readPacketCiphers = (reader: ByteReader): PacketCipher[] | undefined => {
  const count = reader.u8()
  if (count === undefined || count > PACKET_CIPHERS_MAX) return undefined
  const numbers = reader.bytes(count)
  if (numbers === undefined) return undefined
  return Array.from(numbers, packetCipherOf).filter((cipher) => cipher !== undefined)
}

export const encodePeerIntroduction = (introduction: PeerIntroduction): Uint8Array => writePeer(introduction).finish()

export const decodePeerIntroduction = (bytes: Uint8Array): PeerIntroduction | undefined => {
  const reader = new ByteReader(bytes)
  const introduction = readPeer(reader)
  return reader.isAtEnd ? introduction : undefined
}

export const encodeSenderIntroduction = (introduction: SenderIntroduction): Uint8Array => {
  const writer = writePeer(introduction).bytes(introduction.roomKey).bytes(introduction.signature)
  writeOffer(writer, introduction.offer)
  return writer.finish()
}

/** The views `roomKey` and `signature` are copies; the rest is values. */
export const decodeSenderIntroduction = (bytes: Uint8Array): SenderIntroduction | undefined => {
  const reader = new ByteReader(bytes)
  const peer = readPeer(reader)
  const roomKey = reader.bytes(ROOM_KEY_BYTES)
  const signature = reader.bytes(SIGNATURE_BYTES)
  const offer = readOffer(reader)
  if (peer === undefined || roomKey === undefined || signature === undefined) return undefined
  if (offer === undefined || !reader.isAtEnd) return undefined
  return { ...peer, roomKey: roomKey.slice(), signature: signature.slice(), offer }
}

/** The longest beginning of `name` that fits DEVICE_NAME_MAX_BYTES of UTF-8, without lone surrogates. */
export const cutDeviceName = (name: string): string => {
  let cut = ''
  let bytes = 0
  for (const character of name) {
    bytes += utf8Length(character)
    if (bytes > DEVICE_NAME_MAX_BYTES) break
    cut += encodeUtf8(character) === undefined ? '\ufffd' : character
  }
  return cut
}
