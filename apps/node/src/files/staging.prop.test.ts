import { join } from 'node:path'
import type { ManifestEntry } from '@godwit/protocol/manifest'
import { RangeSet } from '@godwit/protocol/rangeSet'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { blake3Of } from '../crypto/blake3.js'
import { Staging } from './staging.js'
import { useTempDirs } from './testing/tempDir.js'
import { bytesOfManifest, TRANSFER_ID, unwrap } from './testing/transfer.js'

const tempDir = useTempDirs()

const sizes = [0, 1, 3 * 1024 * 1024 + 17, 5_000, 0, 1024 * 1024, 2]
const entries = sizes.map(
  (sizeBytes, i): ManifestEntry => ({ kind: 'file', path: [`f${i}`], sizeBytes, mtimeMs: 0, isExecutable: false }),
)

type Step =
  | { readonly do: 'write'; readonly chunk: number }
  | { readonly do: 'checkpoint' }
  | { readonly do: 'restart' }

test('whatever is written, checkpointed and restarted: what was told durable is there, and nothing that was not written', async () => {
  const manifestBytes = bytesOfManifest({ entries })
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.nat({ max: 7 }).map((chunk): Step => ({ do: 'write', chunk })) },
    { weight: 2, arbitrary: fc.constant<Step>({ do: 'checkpoint' }) },
    { weight: 1, arbitrary: fc.constant<Step>({ do: 'restart' }) },
  )
  const out = await tempDir()
  let run = 0
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      run += 1
      const id = `${TRANSFER_ID}${run}`
      const written = new RangeSet()
      const durable = new RangeSet()
      let staging = unwrap(await Staging.create(out, id, manifestBytes))
      // Steps are not awaited one by one: writes and checkpoints overlap as they do under load.
      let underWay: Promise<unknown>[] = []
      for (const current of steps) {
        if (current.do === 'write') {
          const data = new Uint8Array(staging.plan.lengthOf(current.chunk)).fill(current.chunk + 1)
          written.add(current.chunk, current.chunk + 1)
          underWay.push(staging.write(current.chunk, data, blake3Of(data)))
        } else if (current.do === 'checkpoint') {
          const told = staging.checkpoint().then((result) => {
            if (!result.ok) throw new Error(result.failure.code)
            durable.addAll(result.durable)
          })
          underWay.push(told)
        } else {
          await Promise.all(underWay)
          underWay = []
          await staging.close()
          const again = unwrap(await Staging.reopen(out, id))
          if (again === undefined) throw new Error('the staging folder is gone')
          staging = again
        }
      }
      await Promise.all(underWay)
      for (const mode of ['cheap', 'full'] as const) {
        const { held, missing } = unwrap(await staging.verify(durable, mode))
        expect(missing.isEmpty).toBe(true)
        expect(held.equals(durable)).toBe(true)
      }
      for (const [start, end] of durable.ranges()) expect(written.contains(start, end)).toBe(true)
      await staging.close()
      unwrap(await Staging.discard(out, id))
    }),
    { numRuns: 30 },
  )
  expect(unwrap(await Staging.reopen(join(out), TRANSFER_ID))).toBeUndefined()
})
