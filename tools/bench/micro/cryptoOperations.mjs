/** Micro-benchmarks of sealing and opening, packet by packet and by the train, and of BLAKE3. */
import { randomBytes } from 'node:crypto'
import { NO_BODIES, OPEN_FIELDS } from '@godwit/engine/ports/packetProtection'
import { blake3Of } from '../../../apps/node/dist/crypto/blake3.js'
import { nativeProtection } from '../../../apps/node/dist/crypto/nativePackets.js'
import { SodiumProtection } from '../../../apps/node/dist/crypto/sodiumPackets.js'

const PACKET_BYTES = 1472
const HEADER_BYTES = 16
const TRAIN_PACKETS = 44
const TRAIN_BYTES = TRAIN_PACKETS * PACKET_BYTES
const MIB = 2 ** 20

/** @typedef {import('@godwit/engine/ports/packetProtection').PacketProtection} PacketProtection */

/** @returns {import('./measure.mjs').Operation[]} */
export function cryptoOperations() {
  const protections = /** @type {const} */ ([
    ['ChaCha20-Poly1305, libsodium', new SodiumProtection(randomBytes(32), randomBytes(12))],
    ['ChaCha20-Poly1305, addon', nativeProtection('chacha20Poly1305', randomBytes(32), randomBytes(12))],
    ['AES-256-GCM, addon', nativeProtection('aes256Gcm', randomBytes(32), randomBytes(12))],
  ])
  const chunk = randomBytes(MIB)
  const small = randomBytes(64 * 1024)
  return [
    ...protections.flatMap(([name, protection]) =>
      protection === undefined ? [] : packetOperations(name, protection),
    ),
    { name: 'BLAKE3 of 64 KiB', bytes: small.length, run: repeat(() => blake3Of(small)) },
    { name: 'BLAKE3 of a chunk, 1 MiB', bytes: chunk.length, run: repeat(() => blake3Of(chunk)) },
  ]
}

/** @param {string} name @param {PacketProtection} protection @returns {import('./measure.mjs').Operation[]} */
function packetOperations(name, protection) {
  const train = randomBytes(TRAIN_BYTES)
  const sealed = Uint8Array.from(train)
  protection.sealTrain(sealed, 0, TRAIN_BYTES, PACKET_BYTES, HEADER_BYTES, 0, NO_BODIES)
  const opened = new Uint8Array(TRAIN_BYTES)
  const table = new Uint32Array(TRAIN_PACKETS * OPEN_FIELDS)
  for (let i = 0; i < TRAIN_PACKETS; i++) table.set([i * PACKET_BYTES, PACKET_BYTES, i, 0], i * OPEN_FIELDS)
  const open = (/** @type {number} */ count) => {
    // Opening in place uses the packet up. The copy costs 1 to 3 % of what is measured.
    opened.set(count === TRAIN_PACKETS ? sealed : sealed.subarray(0, PACKET_BYTES))
    protection.openPackets(opened, table, count, HEADER_BYTES)
    if (table[3] !== 1) throw new Error(`${name} does not open what it has sealed`)
  }
  const trainUnit = `train of ${TRAIN_PACKETS}`
  return [
    {
      name: `seal a packet of 1,472 B: ${name}`,
      bytes: PACKET_BYTES,
      run: repeat((i) => protection.sealTrain(train, 0, PACKET_BYTES, PACKET_BYTES, HEADER_BYTES, i, NO_BODIES)),
    },
    {
      name: `seal a train: ${name}`,
      bytes: TRAIN_BYTES,
      unit: trainUnit,
      run: repeat((i) => protection.sealTrain(train, 0, TRAIN_BYTES, PACKET_BYTES, HEADER_BYTES, i, NO_BODIES)),
    },
    { name: `open a packet of 1,472 B: ${name}`, bytes: PACKET_BYTES, run: repeat(() => open(1)) },
    { name: `open a train: ${name}`, bytes: TRAIN_BYTES, unit: trainUnit, run: repeat(() => open(TRAIN_PACKETS)) },
  ]
}

/** @param {(i: number) => unknown} act @returns {(times: number) => void} */
const repeat = (act) => (times) => {
  for (let i = 0; i < times; i++) act(i)
}
