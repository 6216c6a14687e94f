import type { CompletedLine, OfferedLine } from '@godwit/protocol/api'
import {
  completedLineSchema,
  doctorSchema,
  enqueuedLineSchema,
  eventLineSchema,
  failedLineSchema,
  nodeStatusSchema,
  offeredLineSchema,
  transferProgressSchema,
  transferViewSchema,
} from '@godwit/protocol/api'
import type { ErrorCode } from '@godwit/protocol/errors'
import { ERROR_CODES, exitCodeOf } from '@godwit/protocol/errors'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { runProgram } from './program.js'
import { createFakeIo, type FakeIoOptions } from './testing/fakeIo.js'
import { createFakeNode, type FakeNode } from './testing/fakeNode.js'
import { cliVersion } from './version.js'

let node: FakeNode

beforeAll(async () => {
  node = await createFakeNode(cliVersion())
  await node.start()
})
afterAll(() => node.dispose())
beforeEach(() => {
  node.service.enqueueFailure = undefined
  node.service.skipped = undefined
  node.service.onEnqueued = () => {}
})

const CODE = '4821-walnut-umbrella-velvet'

const start = (argv: readonly string[], options: FakeIoOptions = {}) => {
  const io = createFakeIo({ ...options, env: { GODWIT_DATA_DIR: node.dataDir, ...options.env } })
  return { io, exitCode: runProgram(argv, io) }
}

const run = async (argv: readonly string[], options: FakeIoOptions = {}) => {
  const { io, exitCode } = start(argv, options)
  return { exitCode: await exitCode, out: io.out(), err: io.err(), lines: io.lines }
}

const lastCall = (name: string): unknown => node.service.calls.findLast((call) => call.name === name)?.input

const offer = (transferId: string): OfferedLine => ({
  type: 'transfer.offered',
  transferId,
  from: 'laptop',
  fileCount: 2,
  totalBytes: 1000,
  files: [
    { path: 'film\u001b[31m.mkv', size: 900 },
    { path: 'notes.txt', size: 100 },
  ],
  verification: 'amber brick cloud delta',
})

const completed = (transferId: string): CompletedLine => ({
  type: 'transfer.completed',
  transferId,
  bytes: 1000,
  seconds: 2,
  files: [{ path: 'film.mkv', size: 1000, blake3: 'ab'.repeat(32) }],
})

/** A transfer that runs to its end as soon as it is enqueued. */
const completesAtOnce = (transferId: string): void => {
  node.service.pushProgress(transferId, 2, 500)
  node.service.pushLine(transferId, 3, completed(transferId))
}

describe('send', () => {
  test('--json: the code first, then progress, then the result, and nothing else', async () => {
    node.service.onEnqueued = completesAtOnce
    const { exitCode, lines } = await run(['send', 'film.mkv', '--json'])
    expect(exitCode).toBe(0)
    const [first, second, third, ...rest] = lines()
    expect(Object.keys(first ?? {})[0]).toBe('type')
    expect(enqueuedLineSchema.parse(first).code).toBe(CODE)
    transferProgressSchema.parse(second)
    completedLineSchema.parse(third)
    expect(rest).toEqual([])
  })

  test('for people: the code and the command for the other side on stdout, progress on stderr', async () => {
    node.service.onEnqueued = completesAtOnce
    node.service.skipped = [{ path: 'dir/\u001b[2Jlink', reason: 'symbolic link' }]
    const { exitCode, out, err } = await run(['send', 'film.mkv'])
    expect(exitCode).toBe(0)
    expect(out).toContain(`Code:  ${CODE}\n`)
    expect(out).toContain(`godwit receive ${CODE}\n`)
    expect(out).toContain('Sent 1 file, 1.00 kB, in 2.0 s, 500 B/s.')
    expect(err).toContain('Not sent: dir/\\u{1b}[2Jlink (symbolic link)')
    expect(err).toContain('transferring  50 %  500 B of 1.00 kB  100 B/s  5.0 s left')
    expect(out + err).not.toContain('\u001b')
  })

  test('hands on every option, with paths made absolute', async () => {
    const argv = [
      'send',
      'a',
      '/b',
      '--capacity',
      '3',
      '--receivers',
      '5',
      '--limit',
      '20MB/s',
      '--lanes',
      '2',
      '--profile',
      'lossy',
      '--rendezvous',
    ]
    const { exitCode, out } = await run([
      ...argv,
      'meet.example:4907',
      '--advertise',
      '192.0.2.1:4907',
      '--detach',
      '--',
      '-c',
    ])
    expect(exitCode).toBe(0)
    expect(lastCall('enqueueSend')).toMatchObject({
      paths: ['/home/user/a', '/b', '/home/user/-c'],
      capacity: 3,
      receivers: 5,
      limit: 20_000_000,
      lanes: 2,
      profile: 'lossy',
      rendezvous: 'http://meet.example:4907',
      advertise: '192.0.2.1:4907',
    })
    expect(out).toContain(`godwit receive ${CODE} --rendezvous http://meet.example:4907\n`)
  })

  test('GODWIT_RENDEZVOUS is the default of --rendezvous', async () => {
    await run(['send', 'a', '--detach'], { env: { GODWIT_RENDEZVOUS: 'https://meet.example' } })
    expect(lastCall('enqueueSend')).toMatchObject({ rendezvous: 'https://meet.example' })
    await run(['send', 'a', '--detach', '--rendezvous', 'http://other:1'], {
      env: { GODWIT_RENDEZVOUS: 'https://meet.example' },
    })
    expect(lastCall('enqueueSend')).toMatchObject({ rendezvous: 'http://other:1' })
  })

  test('--detach ends after the code', async () => {
    const { exitCode, lines } = await run(['send', 'film.mkv', '--detach', '--json'])
    expect(exitCode).toBe(0)
    expect(lines()).toHaveLength(1)
  })

  test('a password comes in on stdin and goes nowhere but to the node', async () => {
    const { exitCode, out, err } = await run(['send', 'a', '--room', 'our lab', '--password-stdin', '--detach'], {
      stdin: 'correct horse battery\n',
    })
    expect(exitCode).toBe(0)
    expect(lastCall('enqueueSend')).toMatchObject({ room: { name: 'our lab', password: 'correct horse battery' } })
    expect(out + err).not.toContain('horse')
  })

  test('Ctrl-C ends the watching, not the transfer, and says so', async () => {
    const { io, exitCode } = start(['send', 'film.mkv'])
    await io.until('godwit receive')
    io.pressCtrlC()
    expect(await exitCode).toBe(130)
    expect(io.err()).toMatch(/The transfer goes on without this command\. godwit watch tr\w+ shows it/)
    expect(node.service.calls.at(-1)?.name).toBe('enqueueSend')
  })
})

describe('receive', () => {
  test('without a terminal it prints the offer, leaves it open and ends well', async () => {
    node.service.onEnqueued = (transferId) => node.service.pushLine(transferId, 2, offer(transferId))
    const { exitCode, lines } = await run(['receive', CODE, '--json'])
    expect(exitCode).toBe(0)
    const [first, second, ...rest] = lines()
    expect(enqueuedLineSchema.parse(first).code).toBeUndefined()
    expect(offeredLineSchema.parse(second).files).toHaveLength(2)
    expect(rest).toEqual([])
    expect(lastCall('enqueueReceive')).toMatchObject({ code: CODE, output: '/home/user', yes: false })
  })

  test('for people the offer is complete, and no name reaches the terminal as it is', async () => {
    node.service.onEnqueued = (transferId) => node.service.pushLine(transferId, 2, offer(transferId))
    const { exitCode, out, err } = await run(['receive', CODE])
    expect(exitCode).toBe(0)
    expect(out).toContain('laptop offers 2 files, 1.00 kB:')
    expect(out).toContain('film\\u{1b}[31m.mkv  900 B')
    expect(out).toContain('amber brick cloud delta')
    expect(err).toMatch(/godwit accept tr\w+ takes it, godwit decline tr\w+ refuses it/)
    expect(out).not.toContain('\u001b')
  })

  test('--yes goes on to the end', async () => {
    node.service.onEnqueued = (transferId) => {
      node.service.pushLine(transferId, 2, offer(transferId))
      node.service.pushLine(transferId, 3, completed(transferId))
    }
    const { exitCode, lines } = await run(['receive', CODE, '--yes', '--output', 'into', '--json'])
    expect(exitCode).toBe(0)
    expect(lines().map(({ type }) => type)).toEqual(['transfer.enqueued', 'transfer.offered', 'transfer.completed'])
    expect(lastCall('enqueueReceive')).toMatchObject({ yes: true, output: '/home/user/into' })
  })

  test('the code may come in on stdin', async () => {
    await run(['receive', '--code-stdin', '--detach'], { stdin: `${CODE}\n` })
    expect(lastCall('enqueueReceive')).toMatchObject({ code: CODE })
  })

  test('a room carries its rendezvous behind the @', async () => {
    await run(['receive', '--room', 'lab@192.0.2.1:4907', '--password-stdin', '--detach'], { stdin: 'correct horse' })
    expect(lastCall('enqueueReceive')).toMatchObject({
      room: { name: 'lab', password: 'correct horse' },
      rendezvous: 'http://192.0.2.1:4907',
    })
  })

  test.each(['4821-walnut-umbrella', 'xx-walnut-umbrella-velvet', '4821-walnut-umbrella-velvett', `${CODE}@nowhere`])(
    'a code of the wrong form is refused without repeating it: %s',
    async (code) => {
      const { exitCode, out, err } = await run(['receive', code, '--json'])
      expect(exitCode).toBe(2)
      expect(failedLineSchema.parse(JSON.parse(out)).code).toBe('ERR_CODE_MALFORMED')
      expect(out + err).not.toContain('umbrella')
    },
  )
})

describe('failures', () => {
  test.each(ERROR_CODES)(
    '%s ends with the exit code of the table, on stdout as JSON and on stderr as a sentence',
    async (code: ErrorCode) => {
      node.service.enqueueFailure = { code, detail: 'what was met' }
      const { exitCode, lines, err } = await run(['send', 'a', '--json'])
      expect(exitCode).toBe(exitCodeOf(code))
      expect(failedLineSchema.parse(lines().at(-1)).code).toBe(code)
      expect(err).toContain(`what was met: `)
      expect(err).toContain(`(${code})\n`)
    },
  )

  test('a transfer that fails on its way ends with its code', async () => {
    node.service.onEnqueued = (transferId) =>
      node.service.pushLine(transferId, 2, {
        type: 'transfer.failed',
        transferId,
        code: 'ERR_NO_PATH',
        message: 'No path.',
      })
    const { exitCode, lines, err } = await run(['receive', CODE, '--yes', '--json'])
    expect(exitCode).toBe(7)
    expect(failedLineSchema.parse(lines().at(-1)).message).toBe('No path.')
    expect(err).toContain('No path. (ERR_NO_PATH)')
  })

  test.each([
    [['send']],
    [['send', 'a', '--capacity', '0']],
    [['send', 'a', '--capacity', '65']],
    [['send', 'a', '--receivers', 'two']],
    [['send', 'a', '--limit', 'fast']],
    [['send', 'a', '--profile', 'fast']],
    [['send', 'a', '--profile', 'standard']],
    [['receive', CODE, '--profile', 'lossy']],
    [['send', 'a', '--rendezvous', 'ftp://x']],
    [['send', 'a', '--password-stdin']],
    [['send', 'a', '--room', 'lab']],
    [['receive']],
    [['receive', CODE, '--room', 'lab']],
    [['receive', CODE, '--code-stdin']],
    [['receive', CODE, 'more']],
    [['limit', `tr${'z'.repeat(16)}`]],
    [['show', 'nonsense']],
    [['show', `tr${'z'.repeat(16)}`]],
    [['watch', `tr${'z'.repeat(16)}`]],
    [['fly']],
    [[CODE]],
    [['node']],
    [['node', 'restart']],
    [['send', 'a', '--start-at', 'soon']],
    [['send', 'a', '--window', '22-6']],
    [['send', 'a', '--deadline', 'never']],
    [['send', 'a', '--priority', '10']],
    [['schedule', `tr${'z'.repeat(16)}`]],
    [['node', 'limit', 'fast']],
    [['node', 'sending', '0']],
    // Not there yet, so not there at all.
    [['send', 'a', '--lanes', '9']],
    [['priority', 'x', '1']],
  ])('%j is a usage error: exit 2, a sentence, no repeated secret', async (argv) => {
    const { exitCode, out, err } = await run(argv)
    expect(exitCode).toBe(2)
    expect(out).toBe('')
    expect(err).toMatch(/^(?:Usage: .*)?godwit: [^\n]+ \(ERR_[A-Z_]+\)\n$/s)
    expect(err).not.toContain('umbrella')
  })

  test('a node of another version is named', async () => {
    node.service.version = '9.9.9'
    try {
      const { exitCode, out, err } = await run(['list', '--json'])
      expect(exitCode).toBe(0)
      expect(err).toContain('The node that runs is version 9.9.9')
      expect(out).not.toContain('9.9.9')
    } finally {
      node.service.version = cliVersion()
    }
  })
})

describe('what exists', () => {
  test('list, show, events and the commands print the objects of the API', async () => {
    const transferId = node.service.add({ names: ['a\u202eb'], state: 'paused' })
    node.service.pushEvent(transferId, 'TransferEnqueued', { role: 'sender' })
    const list = await run(['list', '--json'])
    for (const line of list.lines()) transferViewSchema.parse(line)
    expect(list.lines()[0]).toMatchObject({ transferId })
    expect((await run(['list'])).out).toContain('a\\u{202e}b')

    const show = await run(['show', transferId, '--json'])
    expect(transferViewSchema.parse(show.lines()[0]).transferId).toBe(transferId)
    expect((await run(['show', transferId])).out).toContain('state      paused')

    const events = await run(['events', transferId, '--json'])
    expect(eventLineSchema.parse(events.lines()[0]).id).toBe(`${transferId}.1`)

    for (const command of ['accept', 'resume', 'pause', 'cancel', 'retry', 'decline']) {
      const { exitCode, lines } = await run([command, transferId, '--json'])
      expect(exitCode).toBe(0)
      transferViewSchema.parse(lines()[0])
      expect(node.service.calls.at(-1)).toMatchObject({ name: command, input: { transferId } })
    }
    await run(['accept', transferId, '--output', 'there'])
    expect(lastCall('accept')).toMatchObject({ output: '/home/user/there' })
    await run(['limit', transferId, '8mbit'])
    expect(lastCall('setLimit')).toMatchObject({ limit: 1_000_000 })
    await run(['limit', transferId, 'unlimited'])
    expect(lastCall('setLimit')).toMatchObject({ limit: null })
    await run(['priority', transferId, '9'])
    expect(lastCall('setPriority')).toMatchObject({ priority: 9 })
    await run(['schedule', transferId, '--start-at', 'now', '--window', '22:00-06:00'])
    expect(lastCall('setSchedule')).toMatchObject({ startAt: null, window: { fromMinute: 1320, toMinute: 360 } })
    expect(lastCall('setSchedule')).not.toHaveProperty('deadline')
    expect((await run(['node', 'limit', '8mbit'])).out).toContain('limit')
    expect(lastCall('configure')).toEqual({ limit: 1_000_000 })
    await run(['node', 'sending', '3'])
    expect(lastCall('configure')).toEqual({ maxSending: 3 })
    expect((await run(['remove', transferId, '--json'])).lines()).toEqual([{ type: 'transfer.removed', transferId }])
  })

  test('node status, node start and doctor', async () => {
    for (const command of ['status', 'start']) {
      const { exitCode, lines } = await run(['node', command, '--json'])
      expect(exitCode).toBe(0)
      nodeStatusSchema.parse(lines()[0])
    }
    const { exitCode, lines } = await run(['doctor', '--json'])
    expect(exitCode).toBe(0)
    doctorSchema.parse(lines()[0])
    expect((await run(['doctor'])).out).toContain('warning  socket buffers: 208 kB\n         sysctl')
  })

  test('node status where none runs: 78; node stop has nothing to do', async () => {
    const env = { GODWIT_DATA_DIR: '/nonexistent/godwit' }
    const { exitCode, lines } = await run(['node', 'status', '--json'], { env })
    expect(exitCode).toBe(78)
    expect(lines()[0]).toMatchObject({ type: 'error', code: 'ERR_NODE_NOT_RUNNING' })
  })

  test('help and version are results', async () => {
    expect((await run([])).out).toContain('Usage: godwit')
    expect((await run(['--help'])).out).toContain('Exit codes: 0 ok')
    expect(await run(['--version'])).toMatchObject({ exitCode: 0, out: `${cliVersion()}\n` })
    expect((await run(['send', '--help'])).out).toContain('--limit <rate>')
  })
})

describe('on a terminal', () => {
  test('progress is one line that is drawn over, and gone before the result', async () => {
    node.service.onEnqueued = completesAtOnce
    const { err } = await run(['send', 'film.mkv'], { isTerminal: true, env: { NO_COLOR: '1' } })
    expect(err).toContain('\rtransferring  [##########----------]  50 %')
    expect(err).not.toContain('\u001b[36m')
    expect(err.endsWith('\r\u001b[K')).toBe(true)
    expect(err.split('\n')).toHaveLength(1)
  })

  test('a terminal that cannot move its cursor gets plain lines', async () => {
    node.service.onEnqueued = completesAtOnce
    const { err } = await run(['send', 'film.mkv'], { isTerminal: true, env: { TERM: 'dumb' } })
    expect(err).toContain('transferring  50 %')
    expect(err).not.toContain('\u001b')
  })
})
