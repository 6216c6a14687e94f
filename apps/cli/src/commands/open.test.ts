/** `godwit open`: the browser is led to the page, and the link is in no argument. */
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
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

/** What `open` starts on Linux, here a program that notes what it was given and signs in as the page does. */
const writeOpener = (): string => {
  const program = join(node.dataDir, 'xdg-open')
  const marker = join(node.dataDir, 'opened.json')
  writeFileSync(
    program,
    `#!${process.execPath}
     const { readFileSync, statSync, writeFileSync } = require('node:fs')
     const [file] = process.argv.slice(2)
     const page = readFileSync(file, 'utf8')
     const mode = statSync(file).mode & 0o777
     writeFileSync(${JSON.stringify(marker)}, JSON.stringify({ arguments: process.argv.slice(2), page, mode }))
     const [, origin, ticket] = /url=(http:[^#]+)\\/#ticket=([\\w-]+)/.exec(page)
     fetch(origin + '/session', {
       method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ ticket }),
     })`,
  )
  chmodSync(program, 0o755)
  return marker
}

const openWith = async (args: readonly string[], path: string) => {
  const io = createFakeIo({ env: { GODWIT_DATA_DIR: node.dataDir, PATH: path } })
  return { io, exitCode: await runProgram(['open', ...args], io) }
}

test('--print-url prints a link with a ticket, and no token', async () => {
  const { io, exitCode } = await openWith(['--print-url', '--json'], '')
  expect(exitCode).toBe(0)
  const [line] = io.lines()
  expect(line).toMatchObject({ type: 'page.url', validSeconds: 60 })
  expect(String(line?.['url'])).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/#ticket=[\w-]{43}$/)
  expect(io.out()).not.toContain(readFileSync(join(node.dataDir, 'token'), 'utf8').trim())
})

test.runIf(process.platform === 'linux')(
  'the browser gets a private file that leads to the page, and it is gone afterwards',
  async () => {
    const marker = writeOpener()
    const { io, exitCode } = await openWith(['--json'], node.dataDir)
    expect(exitCode).toBe(0)
    expect(io.lines()).toMatchObject([{ type: 'page.opened' }])
    const opened = JSON.parse(readFileSync(marker, 'utf8'))
    const ticket = /#ticket=([\w-]{43})/.exec(opened.page)?.[1] ?? 'none'
    expect(opened.arguments).toHaveLength(1)
    expect(opened.arguments[0]).not.toContain(ticket)
    expect(opened.mode).toBe(0o600)
    expect(existsSync(opened.arguments[0])).toBe(false)
  },
)

test('where no browser can be started, the link is printed', async () => {
  const { io, exitCode } = await openWith(['--json'], '/nowhere')
  expect(exitCode).toBe(0)
  expect(io.lines()).toMatchObject([{ type: 'page.url' }])
  expect(readdirSync(node.dataDir).filter((name) => name.endsWith('.html'))).toEqual([])
})
