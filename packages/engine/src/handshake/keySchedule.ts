/**
 * From the master secret of a handshake to everything that a session uses (RFC 5869 Expand with one label each), and
 * from a direction's traffic secret to packet keys, lane by lane and epoch by epoch.
 *
 * Packets: nonce = iv XOR packet number (RFC 9001 §5.3). Each direction, lane and epoch has its own key, so lanes share
 * no counter, and each traffic secret is forgotten when the next epoch's is made.
 */
import { assert } from '@godwit/protocol/assert'
import { concatBytes } from '@godwit/protocol/bytes'
import { VERIFICATION_BYTES, verificationWords } from '@godwit/protocol/words'
import type { KeyDerivation } from '../ports/handshakeCrypto.js'
import { hkdfExpand, label } from './hkdf.js'
import type { ResumptionSecret } from './resumption.js'

/** Bytes of a traffic secret, of a packet key and of a packet iv. */
export const TRAFFIC_SECRET_BYTES = 32
export const PACKET_KEY_BYTES = 32
export const PACKET_IV_BYTES = 12
export const CONNECTION_ID_BYTES = 8

/** Secrets of epoch 0 of both directions, 32 bytes each. They are never stored. */
export interface TrafficSecrets {
  readonly receiverToSender: Uint8Array
  readonly senderToReceiver: Uint8Array
}

/** Connection ids, 8 bytes each: the id under `receiver` is in the packets that the receiver gets. */
export interface ConnectionIds {
  readonly receiver: Uint8Array
  readonly sender: Uint8Array
}

export interface DerivedSecrets {
  readonly trafficSecrets: TrafficSecrets
  readonly connectionIds: ConnectionIds
  readonly resumption: ResumptionSecret
  /** Four words for people to compare. */
  readonly verification: string
}

/** Everything of one session; `master` is wiped. `generation` is that of the resumption secret. */
export const deriveSecrets = (crypto: KeyDerivation, master: Uint8Array, generation: number): DerivedSecrets => {
  const expand = (text: string, lengthBytes: number) => hkdfExpand(crypto, master, label(text), lengthBytes)
  const derived: DerivedSecrets = {
    trafficSecrets: {
      receiverToSender: expand('godwit1 data R2S', TRAFFIC_SECRET_BYTES),
      senderToReceiver: expand('godwit1 data S2R', TRAFFIC_SECRET_BYTES),
    },
    connectionIds: {
      receiver: expand('godwit1 cid R', CONNECTION_ID_BYTES),
      sender: expand('godwit1 cid S', CONNECTION_ID_BYTES),
    },
    resumption: { id: expand('godwit1 resume id', 16), secret: expand('godwit1 resume', 32), generation },
    verification: verificationWords(expand('godwit1 verifier', VERIFICATION_BYTES)),
  }
  crypto.wipe(master)
  return derived
}

export interface PacketKey {
  /** Secret, 32 bytes. */
  readonly key: Uint8Array
  /** 12 bytes. */
  readonly iv: Uint8Array
}

/** The packet key of one lane in the epoch of `trafficSecret`. */
export const packetKey = (crypto: KeyDerivation, trafficSecret: Uint8Array, lane: number): PacketKey => {
  assert(Number.isInteger(lane) && lane >= 0 && lane <= 0xffff, 'a lane is a 16-bit number')
  const laneBytes = Uint8Array.of(lane >>> 8, lane & 0xff)
  return {
    key: hkdfExpand(crypto, trafficSecret, concatBytes(label('key'), laneBytes), PACKET_KEY_BYTES),
    iv: hkdfExpand(crypto, trafficSecret, concatBytes(label('iv'), laneBytes), PACKET_IV_BYTES),
  }
}

/** The traffic secret of the next epoch; the caller wipes the one it had. */
export const nextTrafficSecret = (crypto: KeyDerivation, trafficSecret: Uint8Array): Uint8Array =>
  hkdfExpand(crypto, trafficSecret, label('ku'), TRAFFIC_SECRET_BYTES)

/** The four words of a room: the same on the screens of all its receivers and of the sender. */
export const roomVerification = (crypto: { hash(data: Uint8Array): Uint8Array }, senderRoomKey: Uint8Array): string =>
  verificationWords(crypto.hash(concatBytes(label('godwit1 room'), senderRoomKey)).subarray(0, VERIFICATION_BYTES))
