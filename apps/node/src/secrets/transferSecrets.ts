/**
 * What one transfer keeps secret, in memory and as the JSON of its file. In memory every value is a `Secret`, so that
 * an object of these can be logged by mistake without harm; the JSON is made here only.
 */
import type { ResumptionSecret, ResumptionSecrets } from '@godwit/engine/handshake/resumption'
import type { Result } from '@godwit/protocol/errors'
import { z } from 'zod'
import { Secret } from '../crypto/secret.js'

export interface Passphrase {
  /** `words`: of a code, joined by hyphens. `password`: a user's own, normalised. */
  readonly kind: 'words' | 'password'
  readonly text: Secret
}

export interface StoredResumptionSecret {
  /** Public. base64url of 16 bytes. */
  readonly id: string
  readonly secret: Secret
  readonly generation: number
}

export interface StoredResumption {
  readonly current: StoredResumptionSecret
  readonly previous: StoredResumptionSecret | null
}

export interface TransferSecrets {
  /** As long as the room is open, on the sender; until the pairing has succeeded, on a receiver. */
  readonly passphrase: Passphrase | null
  /** The bearer token at the rendezvous, as text: the owner's or the receiver's. */
  readonly roomToken: Secret | null
  /** Sender: the salt of the passphrase, 16 bytes. Not secret, but of no use without the rest. */
  readonly roomSalt: Secret | null
  /** Sender: the room's Ed25519 key pair, 32 and 64 bytes. */
  readonly roomKey: { readonly publicKey: Secret; readonly secretKey: Secret } | null
  /** By receiver id; on a receiver the one under its own id. */
  readonly resumptions: Readonly<Record<string, StoredResumption>>
  /** Receiver: pairings in which our confirmation was sent and no valid one came back (EXPOSED_HANDSHAKES_MAX). */
  readonly exposedHandshakes: number
}

export const NO_SECRETS: TransferSecrets = {
  passphrase: null,
  roomToken: null,
  roomSalt: null,
  roomKey: null,
  resumptions: {},
  exposedHandshakes: 0,
}

/** With `resumption` as what is kept for `receiver`. */
export const withResumption = (
  secrets: TransferSecrets,
  receiver: string,
  resumption: ResumptionSecrets,
): TransferSecrets => ({
  ...secrets,
  resumptions: {
    ...secrets.resumptions,
    [receiver]: {
      current: storedOf(resumption.current),
      previous: resumption.previous === null ? null : storedOf(resumption.previous),
    },
  },
})

/** What is kept for `receiver`, as the handshake takes it; null when nothing is. */
export const resumptionOf = (secrets: TransferSecrets, receiver: string): ResumptionSecrets | null => {
  const stored = Object.hasOwn(secrets.resumptions, receiver) ? secrets.resumptions[receiver] : undefined
  if (stored === undefined) return null
  return { current: secretOf(stored.current), previous: stored.previous === null ? null : secretOf(stored.previous) }
}

/** Whether something is kept for `receiver`: then the two sides have paired. @param read - what the store answered. */
export const hasResumption = (read: Result<TransferSecrets | null>, receiver: string): boolean =>
  read.ok && read.value !== null && resumptionOf(read.value, receiver) !== null

const storedOf = (resumption: ResumptionSecret): StoredResumptionSecret => ({
  id: Buffer.from(resumption.id).toString('base64url'),
  secret: new Secret(resumption.secret),
  generation: resumption.generation,
})

const secretOf = (stored: StoredResumptionSecret): ResumptionSecret => ({
  id: new Uint8Array(Buffer.from(stored.id, 'base64url')),
  secret: stored.secret.bytes(),
  generation: stored.generation,
})

const secretBytes = (lengthBytes?: number) =>
  z
    .string()
    .regex(/^[A-Za-z0-9_-]*$/)
    .max(4096)
    .transform((text) => Secret.fromBase64url(text))
    .refine((secret) => lengthBytes === undefined || secret.length === lengthBytes)

const storedSecretSchema = z.object({
  id: z.string().regex(/^[A-Za-z0-9_-]{22}$/),
  secret: secretBytes(32),
  generation: z.number().int().min(1).max(0xffff_ffff),
})

const fileSchema = z.object({
  version: z.literal(1),
  passphrase: z.object({ kind: z.enum(['words', 'password']), text: secretBytes() }).nullable(),
  roomToken: secretBytes().nullable(),
  roomSalt: secretBytes(16).nullable(),
  roomKey: z.object({ publicKey: secretBytes(32), secretKey: secretBytes(64) }).nullable(),
  resumptions: z.record(
    z.string().max(64),
    z.object({ current: storedSecretSchema, previous: storedSecretSchema.nullable() }),
  ),
  exposedHandshakes: z.number().int().nonnegative(),
})

/** The file's text: every secret as base64url of its bytes. */
export const encodeSecrets = (secrets: TransferSecrets): string => JSON.stringify(revealed({ version: 1, ...secrets }))

/** The same tree with every `Secret` as base64url: JSON.stringify alone would write `[secret]`. */
const revealed = (value: unknown): unknown => {
  if (value instanceof Secret) return value.base64url()
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, revealed(inner)]))
}

/** Undefined when the text is not one of ours. */
export const decodeSecrets = (text: string): TransferSecrets | undefined => {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  const parsed = fileSchema.safeParse(value)
  if (!parsed.success) return undefined
  const { version: _version, ...secrets } = parsed.data
  return secrets
}
