/** Stands in for `node:crypto` in a simulation: what is random comes from the seed, and scrypt takes virtual time only. */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { callingProcess, kernel } from './kernel.js'

export { createHash, createHmac, timingSafeEqual }

/** Microseconds that a stretching takes at the most. */
const STRETCHING_US = 200_000

export const randomBytes = (count: number): Buffer => Buffer.from(kernel().entropy.bytes(count))

export const randomFillSync = (target: Uint8Array): Uint8Array => {
  target.set(kernel().entropy.bytes(target.length))
  return target
}

/** An integer in [0, below). */
export const randomInt = (below: number): number => kernel().entropy.below(below)

export const randomUUID = (): string => {
  const hex = randomBytes(16).toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`
}

/** A hash in its place: what it costs is not what is tried here. */
export const scrypt = (
  passphrase: Uint8Array,
  salt: Uint8Array,
  length: number,
  _options: object,
  callback: (error: Error | null, key: Buffer) => void,
): void => {
  const key = createHash('sha512').update(passphrase).update(salt).digest().subarray(0, length)
  void callingProcess()
    .call('scrypt', STRETCHING_US, () => key)
    .then((stretched) => callback(null, stretched))
}
