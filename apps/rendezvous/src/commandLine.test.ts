import { describe, expect, test } from 'vitest'
import { readSettings } from './commandLine.js'

const read = (args: readonly string[], env: NodeJS.ProcessEnv = { GODWIT_DATA_DIR: '/data' }) => readSettings(args, env)

describe('the settings of a rendezvous process', () => {
  test('without anything it listens everywhere and brings its own Redis', () => {
    expect(read([])).toEqual({
      ok: true,
      value: {
        host: '0.0.0.0',
        port: 4907,
        udpPort: undefined,
        dataDir: '/data/rendezvous',
        redis: undefined,
        endsWithParent: false,
        trustsProxy: false,
        opensForThisMachineOnly: false,
      },
    })
  })

  test('addresses of both families, and ports', () => {
    expect(read(['--listen', '[::]:80'])).toMatchObject({ value: { host: '::', port: 80 } })
    expect(read(['--listen', ':0'])).toMatchObject({ value: { host: '0.0.0.0', port: 0 } })
    expect(read(['--listen', 'localhost:1', '--udp-port', '2'])).toMatchObject({
      value: { host: '127.0.0.1', port: 1, udpPort: 2 },
    })
  })

  test('Redis by URL, and by the path of a socket', () => {
    const target = (url: string) => readSettings([], { REDIS_URL: url })
    expect(target('redis://h:1')).toMatchObject({ value: { redis: { kind: 'url', url: 'redis://h:1' } } })
    expect(target('/run/r.sock')).toMatchObject({ value: { redis: { kind: 'socket', path: '/run/r.sock' } } })
    expect(target('unix:///run/r.sock')).toMatchObject({ value: { redis: { kind: 'socket', path: '/run/r.sock' } } })
  })

  test.each([
    [['--listen', 'example.org:80']],
    [['--listen', '1.2.3.4']],
    [['--listen', '1.2.3.4:70000']],
    [['--udp-port', 'x']],
    [['--unknown']],
    [['stray']],
  ])('%j is not understood', (args) => {
    expect(read(args)).toMatchObject({ ok: false, failure: { code: 'ERR_USAGE' } })
  })
})
