/**
 * No AEAD at all: tags are left as they are and nothing is masked, so that a simulation of millions of packets spends its
 * time on the transport. For links that corrupt nothing; `checksumProtection.ts` is for the others.
 */
import {
  type ConnectionKeys,
  OPEN_FIELDS,
  type PacketProtection,
  type ProtectionSchedule,
} from '../ports/packetProtection.js'

const PLAIN: PacketProtection = {
  sealTrain(): void {
    // Nobody looks at the tags.
  },
  openPackets(_buffer: Uint8Array, table: Uint32Array, count: number): void {
    for (let entry = 0; entry < count * OPEN_FIELDS; entry += OPEN_FIELDS) table[entry + 3] = 1
  },
}

const SCHEDULE: ProtectionSchedule = { epoch: () => PLAIN }

/** Keys of either end of a lane. */
export const plainKeys: ConnectionKeys = { send: SCHEDULE, receive: SCHEDULE }
