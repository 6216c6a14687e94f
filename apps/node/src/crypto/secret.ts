/**
 * A secret in memory. Printed, logged, inspected or turned into JSON it is `[secret]`: what it holds comes out only by
 * asking for it by name.
 */
import { timingSafeEqual } from 'node:crypto'
import { inspect } from 'node:util'

const HIDDEN = '[secret]'

export class Secret {
  readonly #bytes: Uint8Array

  /** Takes over `bytes`: the caller no longer uses them. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  static fromText(text: string): Secret {
    return new Secret(new TextEncoder().encode(text))
  }

  static fromBase64url(text: string): Secret {
    return new Secret(new Uint8Array(Buffer.from(text, 'base64url')))
  }

  get length(): number {
    return this.#bytes.length
  }

  /** The bytes themselves, not a copy: they are zero after `zero()`. */
  bytes(): Uint8Array {
    return this.#bytes
  }

  /** As UTF-8. The string cannot be wiped: not for secrets that live long. */
  text(): string {
    return new TextDecoder().decode(this.#bytes)
  }

  base64url(): string {
    return Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.length).toString('base64url')
  }

  equals(other: Secret): boolean {
    return this.length === other.length && timingSafeEqual(this.#bytes, other.#bytes)
  }

  /** Overwrites it. */
  zero(): void {
    this.#bytes.fill(0)
  }

  toString(): string {
    return HIDDEN
  }

  toJSON(): string {
    return HIDDEN
  }

  [inspect.custom](): string {
    return HIDDEN
  }
}
