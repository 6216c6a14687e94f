/**
 * No packet number is used twice under one key: two packets that carry the same number under the same traffic secret, lane
 * and direction are the same datagram.
 */
import { createHash } from 'node:crypto'
import { type Checker, check } from './checker.js'

const NAME = 'nonceUnique'
const CONNECTION_ID_AT = 4
const PACKET_NUMBER_AT = 12
const HEADER_BYTES = 16

export const nonceUnique = (): Checker => {
  /** By the connection id that packets carry: the secret that they are sealed under. */
  const secrets = new Map<string, string>()
  /** By secret, lane and number: a hash of the packet. */
  const packets = new Map<string, number>()
  return {
    name: NAME,
    onSession: ({ connectionIds, trafficSecrets, lane }, role) => {
      // Packets carry the id of the side that receives them.
      const [id, secret] =
        role === 'sender'
          ? [connectionIds.receiver, trafficSecrets.senderToReceiver]
          : [connectionIds.sender, trafficSecrets.receiverToSender]
      secrets.set(hexOf(id), `${role} ${lane} ${createHash('sha256').update(secret).digest('hex')}`)
    },
    onDatagram: (_from, bytes) => {
      if (bytes.length < HEADER_BYTES) return
      const secret = secrets.get(hexOf(bytes.subarray(CONNECTION_ID_AT, CONNECTION_ID_AT + 8)))
      if (secret === undefined) return
      const number = new DataView(bytes.buffer, bytes.byteOffset).getUint32(PACKET_NUMBER_AT)
      const key = `${secret} ${bytes[1]} ${number}`
      const hash = hashOf(bytes)
      const before = packets.get(key)
      check(before === undefined || before === hash, NAME, `packet number ${number} is used twice under one key`)
      packets.set(key, hash)
    },
  }
}

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')

/** FNV-1a over every third byte: packets of one number that differ at all differ all over. */
const hashOf = (bytes: Uint8Array): number => {
  let state = 0x811c9dc5 ^ bytes.length
  for (let i = HEADER_BYTES; i < bytes.length; i += 3) state = Math.imul(state ^ (bytes[i] ?? 0), 0x01000193) >>> 0
  return state
}
