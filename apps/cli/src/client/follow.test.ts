import { afterEach, beforeEach, expect, test } from 'vitest'
import { runProgram } from '../program.js'
import { createFakeIo } from '../testing/fakeIo.js'
import { createFakeNode, type FakeNode } from '../testing/fakeNode.js'
import { cliVersion } from '../version.js'

let node: FakeNode

beforeEach(async () => {
  node = await createFakeNode(cliVersion())
  await node.start()
})
afterEach(() => node.dispose())

const start = (argv: readonly string[]) => {
  const io = createFakeIo({ env: { GODWIT_DATA_DIR: node.dataDir } })
  return { io, exitCode: runProgram(argv, io) }
}

test('events --follow prints each event once, in order, over restarts of the node on other ports', async () => {
  const { service } = node
  const transferId = service.add()
  service.pushEvent(transferId, 'TransferEnqueued', { number: 1 })
  const { io, exitCode } = start(['events', transferId, '--follow', '--json'])
  let number = 1
  for (let restart = 0; restart < 3; restart += 1) {
    await io.until(`"number":${number}}`)
    await node.kill()
    // Recorded while nobody could hear it.
    number += 1
    service.pushEvent(transferId, 'ChunksAcked', { number })
    await node.start()
    await io.until(`"number":${number}}`)
    number += 1
    service.pushEvent(transferId, 'ChunksAcked', { number })
  }
  await io.until(`"number":${number}}`)
  io.pressCtrlC()
  expect(await exitCode).toBe(130)
  expect(io.lines().map(({ version }) => version)).toEqual(Array.from({ length: number }, (_, index) => index + 1))
})

test('watch goes on over a restart of the node and misses neither the offer nor the end', async () => {
  const { service } = node
  const transferId = service.add()
  service.pushProgress(transferId, 2, 100)
  const { io, exitCode } = start(['watch', transferId, '--json'])
  await io.until('"bytesDone":100')
  await node.kill()
  // The same version as the last line that was seen, and one behind it.
  service.pushLine(transferId, 2, {
    type: 'transfer.offered',
    transferId,
    from: 'laptop',
    fileCount: 1,
    totalBytes: 1000,
    files: [],
    verification: 'a b c d',
  })
  service.pushProgress(transferId, 3, 200)
  await node.start()
  await io.until('"bytesDone":200')
  await node.kill()
  service.pushLine(transferId, 4, { type: 'transfer.completed', transferId, bytes: 1000, seconds: 1, files: [] })
  await node.start()
  expect(await exitCode).toBe(0)
  const types = io.lines().map(({ type }) => type)
  expect(types.filter((type) => type === 'transfer.offered')).toHaveLength(1)
  expect(types.at(-1)).toBe('transfer.completed')
  const done = io.lines().flatMap(({ bytesDone }) => (typeof bytesDone === 'number' ? [bytesDone] : []))
  expect([...new Set(done)]).toEqual([100, 200])
})

test('a transfer that is removed while the node is away ends the watching with its code', async () => {
  const { service } = node
  const transferId = service.add()
  service.pushProgress(transferId, 2, 100)
  const { io, exitCode } = start(['watch', transferId, '--json'])
  await io.until('"bytesDone":100')
  await node.kill()
  service.forget(transferId)
  await node.start()
  expect(await exitCode).toBe(2)
  expect(io.lines().at(-1)).toMatchObject({ type: 'transfer.failed', code: 'ERR_TRANSFER_NOT_FOUND' })
})

test('Ctrl-C while the node is away ends at once', async () => {
  const { service } = node
  const transferId = service.add()
  service.pushProgress(transferId, 2, 100)
  const { io, exitCode } = start(['watch', transferId])
  await io.until('transferring')
  await node.kill()
  io.pressCtrlC()
  expect(await exitCode).toBe(130)
})
