/** The code of a sending transfer, from its room and its secrets. */

import type { TransferProjection } from '@godwit/engine/projections/transferProjection'
import { formatCode, parseAddress } from '@godwit/protocol/code'
import type { CodeWords } from '@godwit/protocol/words'
import type { TransferRecord } from '../records/transferRecord.js'
import type { TransferSecrets } from '../secrets/transferSecrets.js'

/**
 * What the receiver types; with a user's own password the public room name instead. Undefined before the room is open
 * and after the words are gone.
 */
export const codeOf = (
  projection: TransferProjection | undefined,
  secrets: TransferSecrets | null,
  record: TransferRecord,
): string | undefined => {
  if (projection === undefined || projection.transfer.status === 'none' || secrets?.passphrase === null)
    return undefined
  const { room } = projection.transfer.run
  if (room === undefined || secrets === null) return undefined
  const address = room.advertise === null ? undefined : parseAddress(room.advertise)
  const rendezvous = address?.ok === true ? address.value : null
  if (record.roomName !== null) return rendezvous === null ? record.roomName : `${record.roomName}@${room.advertise}`
  const [first, second, third] = secrets.passphrase.text.text().split('-')
  if (first === undefined || second === undefined || third === undefined) return undefined
  const words: CodeWords = [first, second, third]
  return formatCode({ nameplate: room.nameplate, words, rendezvous })
}
