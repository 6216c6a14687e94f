/** A transfer without a network: what the sender reads goes straight into the receiver's staging folder. */
import type { Failure, Result } from '@godwit/protocol/errors'
import type { Manifest } from '@godwit/protocol/manifest'
import { encodeManifest } from '@godwit/protocol/manifestCodec'
import { BLAKE3_BYTES, blake3Of } from '../../crypto/blake3.js'
import { forEachIndex } from '../concurrently.js'
import type { FinalizeOptions, FinishedFile } from '../finalize.js'
import { finalize } from '../finalize.js'
import type { Scan } from '../scan.js'
import { scanSources } from '../scan.js'
import { SourceFiles } from '../sourceFiles.js'
import { Staging } from '../staging.js'

/** An id as transfers have them. */
export const TRANSFER_ID = 'trabcdefghijklmnop'

/** The value of a result that has to be one. */
export const unwrap = <T>(result: Result<T>): T => {
  if (!result.ok) throw new Error(`${result.failure.code} ${result.failure.detail ?? ''}`)
  return result.value
}

/** The failure of a result that has to be one. */
export const failureOf = (result: Result<unknown>): Failure => {
  if (result.ok) throw new Error('it did not fail')
  return result.failure
}

export const bytesOfManifest = (manifest: Manifest): Uint8Array => unwrap(encodeManifest(manifest))

/** Copies chunks from the sources to the staging folder, `concurrency` at a time. */
export const copyChunks = async (
  scan: Scan,
  staging: Staging,
  first = 0,
  count = staging.plan.chunkCount,
  concurrency = 16,
): Promise<void> => {
  const sources = new SourceFiles(scan.sources)
  await forEachIndex(
    count,
    async (i) => {
      const chunk = first + i
      const { file, offset, length } = staging.plan.locate(chunk)
      const data = new Uint8Array(length)
      unwrap(await sources.read(file, offset, data, length))
      unwrap(await staging.write(chunk, data, blake3Of(data)))
    },
    concurrency,
  )
  await sources.closeAll()
}

export const hashAllFiles = (staging: Staging): Promise<void> =>
  forEachIndex(staging.files.length, async (file) => {
    const hash = unwrap(await staging.hashFile(file))
    if (hash.length !== BLAKE3_BYTES) throw new Error('a hash has 32 bytes')
  })

/** Sends `paths` into `outputDir` from beginning to end. */
export const transferAll = async (
  paths: readonly string[],
  outputDir: string,
  options: FinalizeOptions = {},
): Promise<readonly FinishedFile[]> => {
  const scan = unwrap(await scanSources(paths))
  const staging = unwrap(await Staging.create(outputDir, TRANSFER_ID, scan.manifestBytes))
  await copyChunks(scan, staging)
  const checkpoint = await staging.checkpoint()
  if (!checkpoint.ok) throw new Error(checkpoint.failure.code)
  await hashAllFiles(staging)
  const files = unwrap(await finalize(staging, options))
  await staging.close()
  unwrap(await Staging.discard(outputDir, TRANSFER_ID))
  return files
}
