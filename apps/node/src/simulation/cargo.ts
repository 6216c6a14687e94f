/** What a simulated transfer carries: files of all kinds, put on the sender's disk. */
import type { SeededRandom } from '@godwit/engine/testing/random'
import type { SentFile } from './checkers/checker.js'
import type { Computer } from './computer.js'
import { makeFolder } from './os/files.js'
import { SimProcess } from './os/kernel.js'

const MIB = 1024 * 1024

export interface Cargo {
  /** Sorted as a manifest is. */
  readonly files: readonly SentFile[]
  /** What the user names. */
  readonly tops: readonly string[]
  readonly totalBytes: number
  readonly bystanders: ReadonlyMap<string, Uint8Array>
}

/** Mostly small files, since what costs time is bytes, and now and then one of several chunks. */
const someSize = (random: SeededRandom): number => {
  const kind = random.below(12)
  if (kind === 0) return 0
  if (kind === 1) return MIB + random.below(1.2 * MIB)
  if (kind === 2) return 256 * 1024 + random.below(MIB)
  return 1 + random.below(kind < 8 ? 20_000 : 120_000)
}

const someBytes = (random: SeededRandom, size: number): Uint8Array => {
  const bytes = new Uint8Array(size)
  let state = random.below(0x7fffffff) | 1
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) | 0
    bytes[i] = state >>> 16
  }
  return bytes
}

const PLACES = [
  'film.mkv',
  'notes',
  'a b.txt',
  'pictures/one.jpg',
  'pictures/two/deep.bin',
  'pictures/zero',
  'z/ü.dat',
] as const

/** Puts cargo on the sender's disk, and sometimes things of the same names in the receiver's output folder. */
export const loadCargo = (random: SeededRandom, sender: Computer, receiver: Computer): Cargo => {
  const paths = PLACES.filter(() => random.happens(0.45))
  const chosen = paths.length === 0 ? [PLACES[random.below(PLACES.length)] ?? 'film.mkv'] : paths
  const files = chosen.map((path) => ({ path, bytes: someBytes(random, someSize(random)) }))
  put(sender, '/cargo', files)
  const tops = [...new Set(chosen.map((path) => path.split('/')[0] ?? ''))]
  const bystanders = new Map<string, Uint8Array>()
  for (const top of tops) {
    if (random.happens(0.2)) bystanders.set(top, someBytes(random, 1 + random.below(500)))
  }
  put(
    receiver,
    '/out',
    [...bystanders].map(([path, bytes]) => ({ path, bytes })),
  )
  const totalBytes = files.reduce((sum, { bytes }) => sum + bytes.length, 0)
  return { files, tops, totalBytes, bystanders }
}

/** Writes files below `folder`, durably. */
const put = (computer: Computer, folder: string, files: readonly SentFile[]): void => {
  const { disk } = computer.host
  new SimProcess(computer.kernel, computer.host).run(() => {
    for (const { path, bytes } of files) {
      const full = `${folder}/${path}`
      const parent = full.slice(0, full.lastIndexOf('/'))
      makeFolder(parent, 0o755, true)
      const inode = disk.makeInode('file', 0o644, computer.kernel.wallMs())
      disk.write(inode, bytes, 0)
      disk.sync(inode)
      const place = disk.locate(full, 'open')
      disk.add(place.folder, place.name, inode)
      disk.sync(place.folder)
    }
  })
  for (const path of disk.list(folder)) if (path.endsWith('/')) disk.sync(disk.lookUp(`${folder}/${path}`, 'fsync'))
  disk.sync(disk.lookUp(folder, 'fsync'))
}
