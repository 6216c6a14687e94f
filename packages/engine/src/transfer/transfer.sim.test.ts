/** Whole transfers in virtual time, with loss on the link and power cuts on the way; each seed replays itself. */
import { equalBytes } from '@godwit/protocol/bytes'
import { CHUNK_SIZE_BYTES } from '@godwit/protocol/limits'
import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../testing/random.js'
import { TransferWorld } from '../testing/transferWorld.js'

const LINKS = {
  clean: {},
  lossy: { lossRate: 0.03, jitterUs: 3000, duplicateRate: 0.01, corruptRate: 0.01 },
  dark: { blackouts: [[150_000, 1_400_000]] as const },
} as const

const expectArrived = (world: TransferWorld): void => {
  for (const [file, bytes] of world.source.entries()) {
    expect(equalBytes(world.received(file), bytes), `file ${file}`).toBe(true)
  }
  expect(world.senderLog.size).toBe(world.plan.chunkCount)
}

describe('a transfer in virtual time', () => {
  test.each(Object.entries(LINKS))('arrives over a %s link', (_name, link) => {
    const world = new TransferWorld({ seed: 1, sizes: [3 * CHUNK_SIZE_BYTES + 5, 0, 1], link })
    expect(world.run(60_000_000)).toBe(true)
    expectArrived(world)
  })

  test.each(Array.from({ length: 24 }, (_, i) => i + 1))('arrives over power cuts, seed %i', (seed) => {
    const random = new SeededRandom(seed)
    const sizes = Array.from({ length: 1 + random.below(4) }, () => random.below(2.5 * CHUNK_SIZE_BYTES))
    const names = Object.values(LINKS)
    const world = new TransferWorld({ seed, sizes, link: names[seed % names.length] ?? {} })
    let isDone = false
    for (let cuts = random.below(4); cuts > 0 && !isDone; cuts--) {
      isDone = world.run(50_000 + random.below(900_000))
      if (!isDone && random.happens(0.7)) world.crashReceiver()
    }
    isDone ||= world.run(120_000_000)
    expect(isDone).toBe(true)
    expectArrived(world)
    // Each generation sends again at the most what was under way: the window is larger than these transfers.
    expect(world.chunksSent).toBeLessThanOrEqual(world.plan.chunkCount * (world.generations + 1) + 4)
  })
})
