/**
 * The packets' AEADs by the addon in `apps/node/native`: whole trains in one call into OpenSSL, 0.5 µs for 1,440 bytes
 * with AES-256-GCM where the processor has it. The set-up builds the addon where a compiler is; without it libsodium
 * does the work (`sodiumPackets.ts`).
 */
import { createRequire } from 'node:module'
import { OPEN_FIELDS, type PacketProtection, type TrainBodies } from '@godwit/engine/ports/packetProtection'
import { assert } from '@godwit/protocol/assert'
import { PACKET_NUMBER_MAX } from '@godwit/protocol/limits'
import { PACKET_CIPHER_NUMBERS, type PacketCipher } from '@godwit/protocol/packetCipher'
import { z } from 'zod'

/** An OpenSSL context with its key, wiped when nothing refers to it any more. */
type NativeKey = { readonly nativeKey: unique symbol }

interface Addon {
  createKey(suite: number, key: Uint8Array, iv: Uint8Array): NativeKey
  sealTrain(
    key: NativeKey,
    buffer: Uint8Array,
    start: number,
    end: number,
    segmentBytes: number,
    headerBytes: number,
    firstPacketNumber: number,
    bodies: Uint32Array,
    source0: Uint8Array,
    source1: Uint8Array,
  ): void
  openPackets(key: NativeKey, buffer: Uint8Array, table: Uint32Array, count: number, headerBytes: number): void
}

const isFunction = (value: unknown): boolean => typeof value === 'function'
const addonShape = z.custom<Addon>(
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    ['createKey', 'sealTrain', 'openPackets'].every((name) => isFunction(Reflect.get(value, name))),
)

/** Where the set-up leaves the addon, seen from `src/crypto` as from `dist/crypto`. */
const ADDON = '../../native/build/Release/packets.node'

/** Undefined where it was not built, does not fit this Node.js, or is switched off with GODWIT_NATIVE=off. */
const loadAddon = (): Addon | undefined => {
  if (process.env['GODWIT_NATIVE'] === 'off') return undefined
  try {
    return addonShape.parse(createRequire(import.meta.url)(ADDON))
  } catch {
    return undefined
  }
}

const addon = loadAddon()

export const hasNativePackets = addon !== undefined

const NO_BYTES = new Uint8Array(0)

class NativeProtection implements PacketProtection {
  readonly #addon: Addon
  readonly #key: NativeKey

  constructor(native: Addon, key: NativeKey) {
    this.#addon = native
    this.#key = key
  }

  sealTrain(
    buffer: Uint8Array,
    start: number,
    end: number,
    segmentBytes: number,
    headerBytes: number,
    firstPacketNumber: number,
    { table, sources: [one = NO_BYTES, other = NO_BYTES] }: TrainBodies,
  ): void {
    assert(firstPacketNumber >= 0 && firstPacketNumber <= PACKET_NUMBER_MAX, 'a packet number has 32 bits')
    const key = this.#key
    this.#addon.sealTrain(key, buffer, start, end, segmentBytes, headerBytes, firstPacketNumber, table, one, other)
  }

  openPackets(buffer: Uint8Array, table: Uint32Array, count: number, headerBytes: number): void {
    assert(count * OPEN_FIELDS <= table.length, 'the packets are in the table')
    this.#addon.openPackets(this.#key, buffer, table, count, headerBytes)
  }
}

/** A protection with this key (32 bytes) and iv (12 bytes), both copied; undefined without the addon. */
export const nativeProtection = (
  cipher: PacketCipher,
  key: Uint8Array,
  iv: Uint8Array,
): PacketProtection | undefined => {
  if (addon === undefined) return undefined
  return new NativeProtection(addon, addon.createKey(PACKET_CIPHER_NUMBERS[cipher], key, iv))
}
