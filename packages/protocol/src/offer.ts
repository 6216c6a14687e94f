/**
 * The preview of an offer: enough for a person to expect the right thing, inside the sealed part of m5. The binding
 * list of files is the manifest, which comes over the session before anything is accepted.
 *
 * ```
 * offer  count of top names shown 1, then each as length (varint) and UTF-8
 *        top-level names in all (varint) | files (varint) | bytes of all files 8
 * ```
 */
import { assert } from './assert.js'
import type { ByteReader, ByteWriter } from './bytes.js'
import { encodeUtf8, utf8Length } from './bytesText.js'
import { MANIFEST_MAX_ENTRIES, OFFER_MAX_NAMES, PATH_COMPONENT_MAX_BYTES, TRANSFER_MAX_BYTES } from './limits.js'

export interface OfferPreview {
  /** The first names at the top, as the sender's disk has them: to be shown through `displayName` only. */
  readonly topNames: readonly string[]
  /** Names at the top in all. */
  readonly topCount: number
  readonly fileCount: number
  readonly totalBytes: number
}

/** The preview of a transfer with these names at its top; names that are too long to travel are left out. */
export const makeOfferPreview = (topNames: readonly string[], fileCount: number, totalBytes: number): OfferPreview => ({
  topNames: topNames.filter(isNameThatTravels).slice(0, OFFER_MAX_NAMES),
  topCount: topNames.length,
  fileCount,
  totalBytes,
})

const isNameThatTravels = (name: string): boolean =>
  name !== '' && utf8Length(name) <= PATH_COMPONENT_MAX_BYTES && encodeUtf8(name) !== undefined

export const writeOffer = (writer: ByteWriter, offer: OfferPreview): void => {
  assert(offer.topNames.length <= OFFER_MAX_NAMES, 'no more names than the limit')
  assert(offer.totalBytes <= TRANSFER_MAX_BYTES, 'an offer keeps to the limit of a transfer')
  writer.u8(offer.topNames.length)
  for (const name of offer.topNames) writer.text(name)
  writer.varint(offer.topCount).varint(offer.fileCount).u64(offer.totalBytes)
}

/** Undefined when a limit is passed or the bytes are not an offer. */
export const readOffer = (reader: ByteReader): OfferPreview | undefined => {
  const shown = reader.u8()
  if (shown === undefined || shown > OFFER_MAX_NAMES) return undefined
  const topNames: string[] = []
  for (let i = 0; i < shown; i++) {
    const name = reader.text(PATH_COMPONENT_MAX_BYTES)
    if (name === undefined || name === '') return undefined
    topNames.push(name)
  }
  const topCount = reader.varint(MANIFEST_MAX_ENTRIES)
  const fileCount = reader.varint(MANIFEST_MAX_ENTRIES)
  const totalBytes = reader.u64()
  if (topCount === undefined || fileCount === undefined || totalBytes === undefined) return undefined
  if (topCount < shown || totalBytes > TRANSFER_MAX_BYTES) return undefined
  return { topNames, topCount, fileCount, totalBytes }
}
