/** Files that change while they are sent are left out, and the others arrive: never a mixture under a name. */
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isSameFile, randomFile } from './harness/files.js'
import { type TestNode, World } from './harness/world.js'

const MIB = 1024 * 1024
/** More than is read ahead, so that the rest of a file is not read yet when its beginning has arrived. */
const LONG = 24 * MIB

let world: World
let sender: TestNode
let receiver: TestNode

beforeAll(async () => {
  world = await World.create()
  sender = world.node('s')
  receiver = world.node('r')
})
afterAll(() => world.dispose())

const sources = (folder: string) => ({
  rewritten: randomFile(join(folder, 'a rewritten'), LONG),
  kept: randomFile(join(folder, 'b kept'), 3 * MIB + 5),
  deleted: randomFile(join(folder, 'c deleted'), LONG),
})

test('one of three files is rewritten in the middle and one deleted: the third arrives, and both sides say so', async () => {
  const { rewritten, kept, deleted } = sources(join(world.folder, 'files'))
  const output = await world.dir('out')
  const { id, code } = await sender.send([rewritten, kept, deleted], '--limit', '4MB/s')
  const command = receiver.receive(code, output)
  await command.line('transfer.progress', ({ bytesDone }) => bytesDone > 0)
  writeFileSync(rewritten, 'something else')
  rmSync(deleted)

  const received = await command.finished()
  expect(received.exitCode, command.transcript).toBe(6)
  const missing = [
    { path: 'a rewritten', size: LONG, code: 'ERR_SOURCE_CHANGED' },
    { path: 'c deleted', size: LONG, code: 'ERR_SOURCE_CHANGED' },
  ]
  const files = [{ path: 'b kept', size: 3 * MIB + 5 }]
  const last = { type: 'transfer.failed', code: 'ERR_SOURCE_CHANGED', bytes: 3 * MIB + 5, files, missing }
  expect(received.lines.at(-1), command.transcript).toMatchObject(last)
  // The staging goes when the end is recorded.
  while (readdirSync(output).length > 1) await sleep(50)
  expect(readdirSync(output)).toEqual(['b kept'])
  expect(isSameFile(kept, join(output, 'b kept'))).toBe(true)

  const sent = await sender.run(['watch', id, '--json'])
  expect(sent.exitCode).toBe(6)
  expect(sent.lines.at(-1)).toMatchObject(last)
  const receiverId = received.lines[0]?.['transferId'] as string
  for (const view of [await sender.show(id), await receiver.show(receiverId)]) {
    expect(view).toMatchObject({ state: 'failed', filesMissing: 2, filesDone: 1, missing })
    expect(view['reason']).toMatchObject({ code: 'ERR_SOURCE_CHANGED' })
    expect(view['reason'].message).toContain('2 of 3 files did not arrive')
  }
  expect((await sender.run(['show', id])).stdout).toMatch(/missing +a rewritten/)
  const told = await receiver.run(['watch', receiverId])
  expect(told.stdout).toContain('Missing 2 files:\n  a rewritten\n  c deleted\n')
  expect((await sender.run(['retry', id, '--json'])).exitCode).not.toBe(0)
})

test('a folder keeps the files that did not change, also when both nodes die in between', async () => {
  const folder = join(world.folder, 'tree')
  const { rewritten, kept, deleted } = sources(folder)
  randomFile(join(folder, 'below', 'deep'), 9 * MIB)
  const output = await world.dir('out2')
  const { id, code } = await sender.send([folder], '--limit', '4MB/s')
  const command = receiver.receive(code, output)
  await command.line('transfer.progress', ({ bytesDone }) => bytesDone > 0)
  writeFileSync(rewritten, 'something else')
  rmSync(deleted)
  while (!(await sender.events(id)).some(({ event }) => event === 'FilesFailed')) await sleep(50)
  const died = [sender.killNode(), receiver.killNode()]
  await sender.respawned(died[0] ?? 0)
  await receiver.respawned(died[1] ?? 0)

  const received = await command.finished()
  expect(received.lines.at(-1), command.transcript).toMatchObject({
    type: 'transfer.failed',
    code: 'ERR_SOURCE_CHANGED',
    missing: [{ path: 'tree/a rewritten' }, { path: 'tree/c deleted' }],
  })
  expect(readdirSync(join(output, 'tree')).toSorted()).toEqual(['b kept', 'below'])
  expect(isSameFile(kept, join(output, 'tree', 'b kept'))).toBe(true)
  expect(isSameFile(join(folder, 'below', 'deep'), join(output, 'tree', 'below', 'deep'))).toBe(true)
  await sender.state(id, ['failed'])
  while (readdirSync(output).length > 1) await sleep(50)
  expect(existsSync(join(output, 'tree'))).toBe(true)
})
