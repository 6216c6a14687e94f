import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createFakeNode, type FakeNode } from '../testing/fakeNode.js'
import { cliVersion } from '../version.js'
import { findNode, openNode } from './openNode.js'

let node: FakeNode
let supervisor: string
let marker: string

beforeEach(async () => {
  node = await createFakeNode(cliVersion())
  supervisor = join(node.dataDir, 'supervisor.mjs')
  marker = join(node.dataDir, 'started')
})
afterEach(() => node.dispose())

/** A supervisor that notes each start and does `body`. */
const writeSupervisor = (body = ''): void =>
  writeFileSync(
    supervisor,
    `import { appendFileSync, writeFileSync } from 'node:fs'
     import { join } from 'node:path'
     const dataDir = process.env.GODWIT_DATA_DIR
     appendFileSync(${JSON.stringify(marker)}, JSON.stringify({ dataDir, args: process.argv.slice(2), secret: process.env.SECRET }) + '\\n')
     ${body}`,
  )

const open = (timeoutMs?: number) =>
  openNode({ dataDir: node.dataDir, env: {}, supervisor, ...(timeoutMs === undefined ? {} : { timeoutMs }) })

const until = async (isSo: () => boolean): Promise<void> => {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 10))
}

test('a node that answers is used, and none is started', async () => {
  writeSupervisor()
  await node.start()
  expect((await open()).status.type).toBe('node.status')
  expect(existsSync(marker)).toBe(false)
})

test('where none runs, a supervisor is started, and the node awaited', async () => {
  writeSupervisor('setTimeout(() => {}, 2000)')
  const opening = open()
  await until(() => existsSync(marker))
  await node.start()
  expect((await opening).status.type).toBe('node.status')
  expect(JSON.parse(readFileSync(marker, 'utf8'))).toEqual({ dataDir: node.dataDir, args: [] })
})

test('a node.json that a killed node left behind is not trusted, and its port gets no token', async () => {
  await node.start()
  const path = join(node.dataDir, 'node.json')
  const file: unknown = JSON.parse(readFileSync(path, 'utf8'))
  writeFileSync(path, JSON.stringify({ ...(typeof file === 'object' ? file : {}), pid: 2 ** 22 + 1 }))
  expect(await findNode(node.dataDir)).toEqual({ failure: undefined })
})

test('a node with another token is refused with its code', async () => {
  await node.start()
  writeFileSync(join(node.dataDir, 'token'), 'x'.repeat(43))
  writeSupervisor()
  await expect(open(300)).rejects.toMatchObject({ code: 'ERR_UNAUTHORIZED' })
})

test('the reason of a node that cannot be set up is told at once', async () => {
  const reason = JSON.stringify({ code: 'ERR_REDIS_MISSING', message: 'No redis here.', at: Date.now() + 1e9 })
  writeSupervisor(`writeFileSync(join(dataDir, 'start-error.json'), ${JSON.stringify(reason)}); process.exit(78)`)
  await expect(open()).rejects.toMatchObject({ code: 'ERR_REDIS_MISSING', message: 'No redis here.' })
})

test('an old reason is not taken for a new one; a node that stays away is told with the end of its log', async () => {
  const reason = JSON.stringify({ code: 'ERR_REDIS_MISSING', message: 'Old.', at: Date.now() - 60_000 })
  writeFileSync(join(node.dataDir, 'start-error.json'), reason)
  writeSupervisor(
    "console.log(JSON.stringify({ msg: 'it hurts', err: { message: 'here' } })); setTimeout(() => {}, 3000)",
  )
  await expect(open(1500)).rejects.toMatchObject({ code: 'ERR_NODE_START', notes: ['it hurts: here'] })
})

test('a supervisor that left to another one is started anew when no node comes', async () => {
  writeSupervisor()
  const opening = open()
  await until(() => existsSync(marker) && readFileSync(marker, 'utf8').trim().split('\n').length === 2)
  await node.start()
  expect((await opening).status.type).toBe('node.status')
})

test('a data directory that cannot be made has its code', async () => {
  writeSupervisor()
  const file = join(node.dataDir, 'file')
  writeFileSync(file, '')
  await expect(openNode({ dataDir: join(file, 'below'), env: {}, supervisor })).rejects.toMatchObject({
    code: 'ERR_DATA_DIR',
  })
  rmSync(file)
})
