import { open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Task } from './concurrently.js'
import { forEachIndex, Mutex, runTasks } from './concurrently.js'
import { HandlePool } from './handlePool.js'
import { useTempDirs } from './testing/tempDir.js'

const tempDir = useTempDirs()
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

describe('runTasks and forEachIndex', () => {
  test('run everything, also what is added, within the limit', async () => {
    let active = 0
    let most = 0
    let done = 0
    const task =
      (children: number): Task =>
      async (add) => {
        active += 1
        most = Math.max(most, active)
        await turn()
        for (let i = 0; i < children; i += 1) add(task(0))
        active -= 1
        done += 1
      }
    await runTasks([task(10), task(10)], 3)
    expect([done, most]).toEqual([22, 3])
    await runTasks([])
    const seen: number[] = []
    await forEachIndex(10, async (i) => void seen.push(i), 4)
    expect(seen.sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })

  test('start nothing after an error and throw it when everything in flight has settled', async () => {
    let settled = 0
    let started = 0
    const action = async (i: number) => {
      started += 1
      await turn()
      if (i === 0) throw new Error('first')
      await turn()
      settled += 1
    }
    await expect(forEachIndex(100, action, 4)).rejects.toThrow('first')
    expect([started, settled]).toEqual([4, 3])
    started = 0
    settled = 0
    const tasks = Array.from({ length: 100 }, (_, i) => () => action(i))
    await expect(runTasks(tasks, 4)).rejects.toThrow('first')
    expect([started, settled]).toEqual([4, 3])
  })

  test('a mutex lets one in at a time and survives errors', async () => {
    const mutex = new Mutex()
    const order: string[] = []
    const job = (name: string) =>
      mutex.run(async () => {
        order.push(`${name} in`)
        await turn()
        order.push(`${name} out`)
        if (name === 'a') throw new Error(name)
      })
    const results = await Promise.allSettled([job('a'), job('b'), job('c')])
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled'])
    expect(order).toEqual(['a in', 'a out', 'b in', 'b out', 'c in', 'c out'])
  })
})

describe('HandlePool', () => {
  test('keeps to its size, closes what was used longest ago, and opens again', async () => {
    const dir = await tempDir()
    const log: string[] = []
    for (let i = 0; i < 5; i += 1) await writeFile(join(dir, String(i)), String(i))
    let isOpen = 0
    let most = 0
    const pool = new HandlePool({
      max: 2,
      open: (file) => {
        isOpen += 1
        most = Math.max(most, isOpen)
        log.push(`open ${file}`)
        return open(join(dir, String(file)))
      },
      beforeClose: async (file) => {
        isOpen -= 1
        log.push(`close ${file}`)
      },
    })
    const read = (file: number) =>
      pool.use(file, async (handle) => (await handle.read(Buffer.alloc(1), 0, 1, 0)).buffer.toString())
    expect(await read(0)).toBe('0')
    expect(await read(1)).toBe('1')
    expect(await read(0)).toBe('0')
    expect(await read(2)).toBe('2')
    expect(log).toEqual(['open 0', 'open 1', 'close 1', 'open 2'])
    expect(await Promise.all([0, 1, 2, 3, 4, 0, 1].map(read))).toEqual(['0', '1', '2', '3', '4', '0', '1'])
    await expect(read(9)).rejects.toThrow(/ENOENT/)
    expect(await read(3)).toBe('3')
    expect(most).toBeLessThanOrEqual(3)
    const last = read(4)
    await pool.closeAll()
    expect(await last).toBe('4')
  })

  test('an action that fails gives its handle back', async () => {
    const dir = await tempDir()
    await writeFile(join(dir, '0'), '')
    await writeFile(join(dir, '1'), '')
    const pool = new HandlePool({ max: 1, open: (file) => open(join(dir, String(file))) })
    await expect(pool.use(0, () => Promise.reject(new Error('mine')))).rejects.toThrow('mine')
    expect(await pool.use(1, async () => 'fine')).toBe('fine')
    await pool.closeAll()
  })
})
