/** Reading files back while they arrive gives the hash of what is on the disk, whatever comes when. */

import { writeFile } from 'node:fs/promises'
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

const MIB = 1024 * 1024
const sizes = [17 * MIB + 3, 100, 16 * MIB, 3 * MIB]
const entries = sizes.map(
  (sizeBytes, i): ManifestEntry => ({ kind: 'file', path: [`f${i}`], sizeBytes, mtimeMs: 0, isExecutable: false }),
)
const CHUNKS = 18 + 1 + 16 + 3

type Step =
  | { readonly do: 'write'; readonly chunk: number }
  | { readonly do: 'checkpoint' }
  /** A chunk turns out to be damaged: it is forgotten and comes again. */
  | { readonly do: 'damage'; readonly chunk: number }

test('whatever order chunks come, are checkpointed, forgotten and come again in', async () => {
  const manifestBytes = bytesOfManifest({ entries })
  const chunk = fc.nat({ max: CHUNKS - 1 })
  const step = fc.oneof(
    { weight: 6, arbitrary: chunk.map((chunk): Step => ({ do: 'write', chunk })) },
    { weight: 3, arbitrary: fc.constant<Step>({ do: 'checkpoint' }) },
    { weight: 1, arbitrary: chunk.map((chunk): Step => ({ do: 'damage', chunk })) },
  )
  const out = await tempDir()
  let run = 0
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60 }), fc.boolean(), async (steps, isOrdered) => {
      const id = `${TRANSFER_ID}${run++}`
      const staging = unwrap(await Staging.create(out, id, manifestBytes))
      const held = new RangeSet()
      const contents = new Map<number, number>()
      let filler = 0
      const write = async (number: number): Promise<void> => {
        if (held.has(number)) return
        filler = (filler + 1) & 255
        contents.set(number, filler)
        held.add(number, number + 1)
        const data = new Uint8Array(staging.plan.lengthOf(number)).fill(filler)
        unwrap(await staging.write(number, data, blake3Of(data)))
      }
      let next = 0
      for (const current of steps) {
        if (current.do === 'write') await write(isOrdered ? next++ % CHUNKS : current.chunk)
        else if (current.do === 'checkpoint') await staging.checkpoint()
        else if (held.has(current.chunk)) {
          held.remove(current.chunk, current.chunk + 1)
          unwrap(await staging.forget(RangeSet.of(current.chunk, current.chunk + 1)))
        }
      }
      for (let number = 0; number < CHUNKS; number++) await write(number)
      expect((await staging.checkpoint()).ok).toBe(true)
      for (const [file, size] of sizes.entries()) {
        const { first, count } = staging.plan.chunksOfFile(file)
        const whole = new Uint8Array(size)
        for (let number = first; number < first + count; number++) {
          const offset = staging.plan.offsetOf(number)
          whole.fill(contents.get(number) ?? 0, offset, offset + staging.plan.lengthOf(number))
        }
        expect(unwrap(await staging.hashFile(file))).toEqual(blake3Of(whole))
      }
      await staging.close()
      unwrap(await Staging.discard(out, id))
    }),
    { numRuns: 12 },
  )
}, 60_000)

test('a staging that was tampered with between two runs is found out', async () => {
  const out = await tempDir()
  const manifestBytes = bytesOfManifest({ entries: entries.slice(0, 1) })
  const first = unwrap(await Staging.create(out, TRANSFER_ID, manifestBytes))
  const data = new Uint8Array(MIB).fill(7)
  for (let chunk = 0; chunk < 17; chunk++) unwrap(await first.write(chunk, data, blake3Of(data)))
  unwrap(await first.write(17, data.subarray(0, 3), blake3Of(data.subarray(0, 3))))
  await first.checkpoint()
  await first.close()
  const path = first.layout.partPath(0)
  await writeFile(path, Uint8Array.of(8), { flag: 'r+' })
  const again = unwrap(await Staging.reopen(out, TRANSFER_ID))
  if (again === undefined) throw new Error('the staging folder is gone')
  unwrap(await again.verify(RangeSet.of(0, 18)))
  expect(unwrap(await again.hashFile(0))).not.toEqual(blake3Of(new Uint8Array(sizes[0] ?? 0).fill(7)))
  expect(unwrap(await again.damagedChunks(0)).toPairs()).toEqual([[0, 1]])
  await again.close()
  expect(path.startsWith(join(out, '.godwit-'))).toBe(true)
})
