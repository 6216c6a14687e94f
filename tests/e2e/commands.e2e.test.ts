/** The command line's contract: exit codes, JSON lines, what goes to stdout and what to stderr, and bad input. */

import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { completedLineSchema, eventLineSchema, transferProgressSchema, transferViewSchema } from '@godwit/protocol/api'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isSameFile, makeTree, randomFile, textOf } from './harness/files.js'
import { type TestNode, World } from './harness/world.js'

let world: World
let sender: TestNode
let receiver: TestNode
let file: string

beforeAll(async () => {
  world = await World.create()
  sender = world.node('s')
  receiver = world.node('r')
  makeTree(join(world.folder, 'in'), [{ path: 'letter.txt', text: 'dear reader' }])
  file = join(world.folder, 'in', 'letter.txt')
})
afterAll(() => world.dispose())

/** Takes a code apart: nameplate, words, and where the rendezvous answers. */
const partsOf = (code: string) => {
  const match = /^(\d+)-([a-z]+-[a-z]+-[a-z]+)(@.+)?$/.exec(code)
  if (match === null) throw new Error(`not a code: ${code}`)
  return { nameplate: match[1], words: match[2], address: match[3] ?? '' }
}

describe('codes', () => {
  test('with wrong words end with 4 and a sentence, and the room serves the right receiver afterwards', async () => {
    const { code } = await sender.send([file])
    const { code: other } = await sender.send([file])
    const { nameplate, address } = partsOf(code)
    const output = await world.dir('wrong')
    const wrong = await receiver.receive(`${nameplate}-${partsOf(other).words}${address}`, output).finished()
    expect(wrong.exitCode, wrong.stderr).toBe(4)
    expect(wrong.lines.at(-1)).toMatchObject({ type: 'transfer.failed', code: 'ERR_WRONG_CODE' })
    expect(wrong.lines.at(-1)?.['message']).toMatch(/code/i)
    const right = await receiver.receive(code, output).finished()
    expect(right.exitCode, right.stderr).toBe(0)
    expect(textOf(join(output, 'letter.txt'))).toBe('dear reader')
  })

  test('that cannot be codes end with 2', async () => {
    for (const code of ['', 'hello', '12-three', '1-a-b-c-d-e-f@x']) {
      const result = await receiver.receive(code, world.folder).finished()
      expect(result.exitCode, `${code}: ${result.stderr}`).toBe(2)
    }
  })

  test('of rooms that nobody opened end with 3', async () => {
    const { code } = await sender.send([file])
    const { nameplate, words, address } = partsOf(code)
    const unknown = nameplate === '31' ? '32' : '31'
    const result = await receiver.receive(`${unknown}-${words}${address}`, world.folder).finished()
    expect(result.exitCode, result.stderr).toBe(3)
    expect(result.lines.at(-1)).toMatchObject({ type: 'transfer.failed', code: 'ERR_ROOM_NOT_FOUND' })
  })

  test('of rooms that the sender has closed end with 3', async () => {
    const { id, code } = await sender.send([file])
    expect((await sender.run(['cancel', id, '--json'])).exitCode).toBe(0)
    const result = await receiver.receive(code, world.folder).finished()
    expect(result.exitCode, result.stderr).toBe(3)
  })
})

describe('JSON lines', () => {
  test('of send and receive have the shapes that the protocol names, and nothing else is on stdout', async () => {
    const path = randomFile(join(world.folder, 'in', 'shape'), 6 * 1024 * 1024)
    const send = sender.start(['send', path, '--json', '--limit', '4MB/s'])
    const enqueued = await send.line('transfer.enqueued')
    expect(enqueued).toMatchObject({
      type: 'transfer.enqueued',
      transferId: expect.any(String),
      code: expect.any(String),
    })
    const receive = receiver.receive(enqueued['code'], await world.dir('shapes'))
    const ends = [await send.finished(), await receive.finished()]
    for (const { exitCode, lines, stderr } of ends) {
      expect(exitCode, stderr).toBe(0)
      expect(lines[0]?.type).toBe('transfer.enqueued')
      expect(completedLineSchema.safeParse(lines.at(-1)).error).toBeUndefined()
      const progress = lines.filter(({ type }) => type === 'transfer.progress')
      expect(progress.length).toBeGreaterThan(1)
      for (const line of progress) expect(transferProgressSchema.safeParse(line).error).toBeUndefined()
      const known = new Set([
        'transfer.enqueued',
        'transfer.paired',
        'transfer.offered',
        'transfer.progress',
        'transfer.completed',
      ])
      expect(lines.filter(({ type }) => !known.has(type))).toEqual([])
    }
    const words = (end: number, type: string) => ends[end]?.lines.find((line) => line.type === type)?.['verification']
    expect(words(0, 'transfer.paired')).toMatch(/^[a-z-]+( [a-z-]+){3}$/)
    expect(words(0, 'transfer.paired')).toBe(words(1, 'transfer.offered'))
    const completed = ends[1]?.lines.at(-1)
    expect(completed?.['bytes']).toBe(6 * 1024 * 1024)
    expect(completed?.['seconds']).toBeGreaterThan(0.8)
  })

  test('of show, list and events have theirs', async () => {
    const { id } = await sender.send([file])
    const shown = await sender.run(['show', id, '--json'])
    expect(transferViewSchema.safeParse(shown.lines[0]).error).toBeUndefined()
    const listed = await sender.run(['list', '--json'])
    expect(listed.exitCode).toBe(0)
    expect(listed.stdout).toContain(id)
    const events = await sender.events(id)
    expect(events.map((line) => eventLineSchema.safeParse(line).error)).toEqual(events.map(() => undefined))
    expect(events.map((line) => line['version'])).toEqual(events.map((_line, index) => index + 1))
    expect(events[0]?.['event']).toBe('TransferEnqueued')
  })

  test('are absent without --json: results on stdout, talk on stderr', async () => {
    const result = await sender.run(['send', file, '--detach'])
    expect(result.exitCode).toBe(0)
    expect(result.stdout).toMatch(/\d+-[a-z]+-[a-z]+-[a-z]+/)
    expect(result.lines.filter(({ type }) => type !== 'NOT JSON')).toEqual([])
    expect(result.stdout).not.toContain('\u001b[')
  })
})

describe('an offer', () => {
  test('is shown and stays open without --yes, and is taken with accept', async () => {
    const { id, code } = await sender.send([file])
    const output = await world.dir('offer')
    const result = await receiver.run(['receive', '--code-stdin', '--output', output, '--json'], `${code}\n`)
    expect(result.exitCode, result.stderr).toBe(0)
    const offer = result.lines.find(({ type }) => type === 'transfer.offered')
    expect(offer).toMatchObject({ fileCount: 1, totalBytes: 11, files: [{ path: 'letter.txt', size: 11 }] })
    const receiverId = offer?.['transferId']
    await receiver.state(receiverId, ['awaitingAcceptance'])
    expect((await receiver.run(['accept', receiverId, '--json'])).exitCode).toBe(0)
    await receiver.state(receiverId, ['completed'])
    await sender.state(id, ['completed'])
    expect(textOf(join(output, 'letter.txt'))).toBe('dear reader')
  })

  test('that is declined is told to the sender', async () => {
    const { id, code } = await sender.send([file])
    const output = await world.dir('declined')
    const result = await receiver.run(['receive', '--code-stdin', '--output', output, '--json'], `${code}\n`)
    const receiverId = result.lines.find(({ type }) => type === 'transfer.offered')?.['transferId']
    expect((await receiver.run(['decline', receiverId, '--json'])).exitCode).toBe(0)
    const declined = sender.start(['events', id, '--follow', '--json'])
    await declined.line('event', (line) => line['event'] === 'Declined')
    declined.kill('SIGTERM')
  })
})

describe('a transfer under way', () => {
  test('can be paused, resumed and given another limit', async () => {
    const path = randomFile(join(world.folder, 'in', 'steered'), 24 * 1024 * 1024)
    const { id, code } = await sender.send([path], '--limit', '4MB/s')
    const receive = receiver.receive(code, await world.dir('steered'))
    await sender.state(id, ['transferring'])
    expect((await sender.run(['pause', id, '--json'])).exitCode).toBe(0)
    const paused = await sender.state(id, ['paused'])
    expect((await sender.run(['resume', id, '--json'])).exitCode).toBe(0)
    await sender.state(id, ['transferring', 'verifying', 'completed'])
    expect((await sender.run(['limit', id, 'unlimited', '--json'])).exitCode).toBe(0)
    const { exitCode, stderr } = await receive.finished()
    expect(exitCode, stderr).toBe(0)
    expect(paused['bytesDone']).toBeLessThan(24 * 1024 * 1024)
  })

  test('can be cancelled, and the other side is told', async () => {
    const path = randomFile(join(world.folder, 'in', 'cancelled'), 24 * 1024 * 1024)
    const { id, code } = await sender.send([path], '--limit', '2MB/s')
    const receive = receiver.receive(code, await world.dir('cancelled'))
    await sender.state(id, ['transferring'])
    expect((await sender.run(['cancel', id, '--json'])).exitCode).toBe(0)
    const { exitCode, lines } = await receive.finished()
    expect(exitCode).toBe(4)
    expect(lines.at(-1)).toMatchObject({ type: 'transfer.failed' })
  })

  test('goes on when the watching is interrupted, and says so', async () => {
    const path = randomFile(join(world.folder, 'in', 'watched'), 12 * 1024 * 1024)
    const send = sender.start(['send', path, '--json', '--limit', '4MB/s'])
    const { code, transferId } = await send.line('transfer.enqueued')
    const receive = receiver.receive(code, await world.dir('watched'))
    await send.line('transfer.progress', (line) => line['state'] === 'transferring')
    send.kill('SIGINT')
    const interrupted = await send.finished()
    expect(interrupted.exitCode).toBe(130)
    expect(interrupted.stderr).toMatch(/goes on/i)
    expect((await receive.finished()).exitCode).toBe(0)
    await sender.state(transferId, ['completed'])
  })
})

describe('bad input', () => {
  const expectations: readonly (readonly [string, readonly string[], number, string])[] = [
    ['a path that is not there', ['send', '/nowhere/at all', '--json'], 6, 'ERR_PATH_NOT_FOUND'],
    ['a rate that is none', ['send', '/etc/hostname', '--limit', '12 parsecs', '--json'], 2, 'ERR_RATE_MALFORMED'],
    ['a transfer that nobody knows', ['show', 'traaaaaaaaaaaaaaaa', '--json'], 2, 'ERR_TRANSFER_NOT_FOUND'],
    ['a command that does not exist', ['sned', '--json'], 2, 'ERR_USAGE'],
    ['a flag that does not exist', ['list', '--colour', '--json'], 2, 'ERR_USAGE'],
    ['no path at all', ['send', '--json'], 2, 'ERR_USAGE'],
  ]
  test.each(expectations)('%s', async (_name, args, exitCode, code) => {
    const result = await sender.run(args)
    expect(result.exitCode, result.stderr).toBe(exitCode)
    expect(result.lines.at(-1)).toMatchObject({ code })
    expect(result.stderr).not.toMatch(/\n\s+at /)
  })

  test('an output folder that is not there', async () => {
    const { code } = await sender.send([file])
    const result = await receiver.receive(code, join(world.folder, 'not there')).finished()
    expect(result.exitCode, result.stderr).toBe(6)
    expect(result.lines.at(-1)).toMatchObject({ code: 'ERR_OUTPUT_MISSING' })
  })

  test('a port that is taken', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const port = typeof address === 'object' ? address?.port : undefined
    const result = await world.node('taken').run(['rendezvous', '--listen', `127.0.0.1:${port}`, '--json'])
    server.close()
    expect(result.exitCode, result.stderr).toBe(7)
    expect(result.lines.at(-1)).toMatchObject({ code: 'ERR_PORT_TAKEN' })
  })

  test('a data directory that is a file', async () => {
    writeFileSync(join(world.folder, 'file'), '')
    const result = await world.node('file').run(['node', 'start', '--json'])
    expect(result.exitCode, result.stderr).toBe(78)
    expect(result.lines.at(-1)).toMatchObject({ code: 'ERR_DATA_DIR' })
  })

  test('a Redis that does not answer', async () => {
    const node = world.node('noredis', { environment: { REDIS_URL: 'redis://127.0.0.1:1' } })
    const result = await node.run(['node', 'start', '--json'])
    expect(result.exitCode, result.stderr).toBe(78)
    expect(result.lines.at(-1)).toMatchObject({ code: 'ERR_REDIS_UNREACHABLE' })
  })

  test.runIf(process.getuid?.() === 0)(
    'a disk without room pauses the transfer, which goes on when there is some',
    async () => {
      const small = await world.dir('small')
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', small])
      try {
        const path = randomFile(join(world.folder, 'in', 'big'), 32 * 1024 * 1024)
        const { id, code } = await sender.send([path])
        const command = receiver.receive(code, small)
        const { transferId } = await command.line('transfer.enqueued')
        const waiting = await receiver.state(transferId, ['paused'])
        expect(waiting['reason']).toMatchObject({ code: 'ERR_DISK_FULL' })
        // The sender is not paused itself: it knows what its receiver waits for.
        const told = async () => (await sender.show(id))['reason']
        await expect.poll(told, { timeout: 10_000 }).toMatchObject({ code: 'ERR_DISK_FULL' })
        execFileSync('mount', ['-o', 'remount,size=256m', small])
        const result = await command.finished()
        expect(result.exitCode, command.transcript).toBe(0)
        expect(isSameFile(path, join(small, 'big'))).toBe(true)
        expect((await receiver.events(transferId)).some(({ event }) => event === 'TransferRetried')).toBe(false)
      } finally {
        execFileSync('umount', ['--lazy', small])
      }
    },
  )
})

describe('the node', () => {
  test('starts once, tells its state, and leaves nothing behind when stopped', async () => {
    const node = world.node('life')
    expect((await node.run(['node', 'status', '--json'])).exitCode).toBe(78)
    const starts = await Promise.all([node.run(['node', 'start', '--json']), node.run(['node', 'start', '--json'])])
    expect(starts.map(({ exitCode }) => exitCode)).toEqual([0, 0])
    expect(starts[0]?.lines[0]?.['pid']).toBe(starts[1]?.lines[0]?.['pid'])
    const status = await node.run(['node', 'status', '--json'])
    expect(status.lines[0]).toMatchObject({ type: 'node.status', redis: { mode: 'embedded', ok: true } })
    expect((await node.run(['doctor', '--json'])).lines[0]).toMatchObject({ type: 'doctor' })
    const living = node.livingProcesses()
    expect(living.length).toBeGreaterThanOrEqual(3)
    expect((await node.run(['node', 'stop', '--json'])).exitCode).toBe(0)
    expect(node.livingProcesses()).toEqual([])
  })

  test('refuses what does not carry its token or comes from a web page', async () => {
    await sender.run(['node', 'start', '--json'])
    const { url } = await sender.nodeFile()
    const token = textOf(join(sender.dataDir, 'token')).trim()
    const statusOf = async (headers: Record<string, string>) =>
      (await fetch(`${url}/trpc/node.status`, { headers })).status
    expect(await statusOf({ authorization: `Bearer ${token}` })).toBe(200)
    expect(await statusOf({})).toBe(401)
    expect(await statusOf({ authorization: 'Bearer wrong' })).toBe(401)
    expect(await statusOf({ authorization: `Bearer ${token}`, origin: 'https://evil.test' })).toBe(403)
  })
})
