import { request } from 'node:http'
import { SPOOL_PIECE_BYTES } from '@godwit/protocol/limits'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Spool } from '../page/spool.js'
import type { ApiServer } from './server.js'
import { createApiServer } from './server.js'
import { FakeNodeService } from './testing/fakeNodeService.js'

const TOKEN = 'k'.repeat(43)

let service: FakeNodeService
let server: ApiServer
let url: string
let bugs: unknown[]

beforeEach(async () => {
  service = new FakeNodeService()
  bugs = []
  server = createApiServer({ service, token: TOKEN, version: '0.1.0', onBug: (error) => bugs.push(error) })
  url = (await server.start()).url
})

afterEach(() => server.stop())

interface Answer {
  readonly status: number
  readonly headers: NodeJS.Dict<string | string[]>
  readonly body: string
}

interface Ask {
  readonly method?: string
  readonly path?: string
  readonly headers?: Record<string, string>
  readonly body?: string
}

/** Not fetch: it does not let a test choose the Host. */
const ask = (options: Ask): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url)
    const headers = { authorization: `Bearer ${TOKEN}`, ...options.headers }
    const outgoing = request(
      {
        agent: false,
        hostname,
        port,
        method: options.method ?? 'GET',
        path: options.path ?? '/trpc/node.status',
        headers,
      },
      (incoming) => {
        let body = ''
        incoming.setEncoding('utf8')
        incoming.on('data', (chunk: string) => {
          body += chunk
        })
        incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body }))
      },
    )
    outgoing.on('error', reject)
    outgoing.end(options.body)
  })

const post = (path: string, input: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
  ask({
    method: 'POST',
    path: `/trpc/${path}`,
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(input),
  })

describe('who may ask', () => {
  test('a client with the token gets its answer, and no word about other sites', async () => {
    const answer = await ask({})
    expect(answer.status).toBe(200)
    expect(JSON.parse(answer.body)).toMatchObject({ result: { data: { type: 'node.status' } } })
    expect(answer.headers).toMatchObject({ 'godwit-version': '0.1.0', 'cache-control': 'no-store' })
    expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([])
  })

  test.each(['', 'Bearer wrong', `Bearer ${TOKEN.slice(1)}`, `Basic ${TOKEN}`, `Bearer ${TOKEN} `.repeat(2)])(
    'a wrong token is refused: %j',
    async (authorization) => {
      const answer = await ask({ headers: { authorization } })
      expect(answer.status).toBe(401)
      expect(JSON.parse(answer.body)).toMatchObject({ error: { data: { godwit: { code: 'ERR_UNAUTHORIZED' } } } })
      expect(answer.body).not.toContain(TOKEN)
    },
  )

  test('a name that was rebound to loopback is not served, even with the token (DNS rebinding)', async () => {
    const port = new URL(url).port
    for (const host of [
      'evil.test',
      `evil.test:${port}`,
      '127.0.0.1',
      `127.0.0.1:${Number(port) + 1}`,
      `127.0.0.1.evil.test:${port}`,
    ]) {
      expect((await ask({ headers: { host } })).status).toBe(421)
      // Origin and Host agree after a rebinding: that proves nothing.
      expect((await ask({ headers: { host, origin: `http://${host}` } })).status).toBe(421)
    }
    for (const host of [`127.0.0.1:${port}`, `localhost:${port}`])
      expect((await ask({ headers: { host } })).status).toBe(200)
  })

  test('a page of another site is refused, our own is not', async () => {
    for (const origin of ['https://evil.test', 'null', 'http://127.0.0.1', `https://127.0.0.1:${new URL(url).port}`]) {
      expect((await ask({ headers: { origin } })).status).toBe(403)
    }
    expect((await ask({ headers: { origin: url } })).status).toBe(200)
    for (const site of ['cross-site', 'same-site']) {
      expect((await ask({ headers: { 'sec-fetch-site': site } })).status).toBe(403)
    }
    expect((await ask({ headers: { 'sec-fetch-site': 'same-origin' } })).status).toBe(200)
    expect((await ask({ method: 'OPTIONS', headers: { origin: 'https://evil.test' } })).status).toBe(403)
  })
})

describe('what may be asked', () => {
  const send = { paths: ['/tmp/film.mkv'], submissionId: 's1' }

  test('only JSON is read', async () => {
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/octet-stream',
    ]) {
      const answer = await post('transfers.enqueueSend', send, { 'content-type': type })
      expect(answer.status).toBe(415)
    }
    expect(service.calls).toEqual([])
    expect((await post('transfers.enqueueSend', send)).status).toBe(200)
  })

  test('nothing is changed by a GET', async () => {
    const input = encodeURIComponent(JSON.stringify(send))
    expect((await ask({ path: `/trpc/transfers.enqueueSend?input=${input}` })).status).toBe(405)
    expect(service.calls).toEqual([])
  })

  test('a body beyond 1 MiB and a batch beyond ten are refused', async () => {
    expect((await post('transfers.enqueueSend', { ...send, padding: 'x'.repeat(1024 * 1024) })).status).toBe(413)
    const names = Array.from({ length: 11 }, () => 'node.status').join(',')
    expect((await ask({ path: `/trpc/${names}?batch=1&input={}` })).status).toBe(400)
    expect((await ask({ path: '/trpc/node.status,node.doctor?batch=1&input={}' })).status).toBe(200)
  })

  test('a refusal carries its code and the sentence for the user', async () => {
    service.enqueueFailure = { code: 'ERR_PATH_NOT_FOUND', detail: '/tmp/film.mkv' }
    const answer = await post('transfers.enqueueSend', send)
    expect(answer.status).toBe(404)
    expect(JSON.parse(answer.body).error.data.godwit).toEqual({
      code: 'ERR_PATH_NOT_FOUND',
      message: '/tmp/film.mkv: The path is not there. Check it for typing errors.',
    })
    expect(bugs).toEqual([])
  })

  test('an input that is not as it should be is a usage error that names the field and not its value', async () => {
    const answer = await post('transfers.enqueueReceive', { code: 7, submissionId: 'top secret!', output: '/tmp' })
    expect(answer.status).toBe(400)
    expect(JSON.parse(answer.body).error.data.godwit.code).toBe('ERR_USAGE')
    expect(answer.body).not.toContain('top secret')
  })

  test('a bug says nothing of itself, and is reported', async () => {
    service.list = () => Promise.reject(new Error('the password is hunter2'))
    const answer = await ask({ path: '/trpc/transfers.list' })
    expect(answer.status).toBe(500)
    expect(answer.body).not.toContain('hunter2')
    expect(answer.body).not.toContain('stack')
    expect(answer.body).not.toMatch(/\.[jt]s:\d/)
    expect(bugs).toHaveLength(1)
  })

  test('a wrong method, path or procedure says so without a stack', async () => {
    for (const path of ['/', '/trpc', '/trpc/no.such', '/../etc/passwd']) {
      const answer = await ask({ path })
      expect(answer.status).toBe(404)
      expect(answer.body).not.toContain('stack')
    }
  })
})

describe('the event streams', () => {
  /** Reads one SSE connection by hand, so that the test decides when its socket is destroyed. */
  const openStream = (procedure: string, transferId: string, lastEventId?: string) => {
    const { port } = new URL(url)
    const input = encodeURIComponent(JSON.stringify({ transferId }))
    const outgoing = request({
      hostname: '127.0.0.1',
      port,
      path: `/trpc/transfers.${procedure}?input=${input}`,
      headers: {
        authorization: `Bearer ${TOKEN}`,
        accept: 'text/event-stream',
        ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
      },
    })
    let text = ''
    let wake: () => void = () => {}
    outgoing.on('error', () => wake())
    outgoing.on('close', () => wake())
    outgoing.on('response', (incoming) => {
      incoming.setEncoding('utf8')
      incoming.on('error', () => wake())
      incoming.on('data', (chunk: string) => {
        text += chunk
        wake()
      })
    })
    outgoing.end()
    /** The events so far that have an id, in order. */
    const events = () =>
      text.split('\n\n').flatMap((block) => {
        const id = /^id: (.+)$/m.exec(block)?.[1]
        const data = /^data: (.+)$/m.exec(block)?.[1]
        return id === undefined || data === undefined
          ? []
          : [{ id, data: JSON.parse(data) as { readonly type: string } }]
      })
    const until = async (isEnough: () => boolean): Promise<void> => {
      while (!isEnough()) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    }
    return { socket: outgoing, events, until, text: () => text }
  }

  test('followEvents goes on behind the last id after its socket was destroyed: no gap, no repeat', async () => {
    const transferId = service.add()
    for (let index = 0; index < 3; index += 1) service.pushEvent(transferId, 'ChunksAcked')
    const seen: string[] = []
    let last: string | undefined
    for (let round = 0; round < 5; round += 1) {
      const stream = openStream('followEvents', transferId, last)
      service.pushEvent(transferId, 'ChunksAcked')
      const total = 4 + round
      await stream.until(() => seen.length + stream.events().length >= total)
      seen.push(...stream.events().map(({ id }) => id))
      last = seen.at(-1)
      stream.socket.destroy()
    }
    expect(seen).toEqual(Array.from({ length: 8 }, (_, index) => `${transferId}.${index + 1}`))
  })

  test('watch loses no line of a version whose lines were cut apart', async () => {
    const transferId = service.add()
    service.pushProgress(transferId, 1, 0)
    service.pushProgress(transferId, 4, 100)
    const first = openStream('watch', transferId)
    await first.until(() => first.events().length >= 2)
    const last = first.events().at(-1)?.id
    first.socket.destroy()
    // The second line of version 4 comes after the connection broke.
    service.pushLine(transferId, 4, {
      type: 'transfer.offered',
      transferId,
      from: 'laptop',
      fileCount: 1,
      totalBytes: 1000,
      files: [],
      verification: 'a b c d',
    })
    const second = openStream('watch', transferId, last)
    await second.until(() => second.events().some(({ data }) => data.type === 'transfer.offered'))
    second.socket.destroy()
    expect(last).toBe(`${transferId}.3`)
  })

  test('the line that ends a transfer ends the stream', async () => {
    const transferId = service.add()
    service.pushLine(transferId, 9, { type: 'transfer.completed', transferId, bytes: 1, seconds: 1, files: [] })
    const stream = openStream('watch', transferId)
    await stream.until(() => stream.text().includes('event: return'))
    expect(stream.events().map(({ id }) => id)).toEqual([`${transferId}.9`])
    stream.socket.destroy()
  })

  test('a transfer that is not there, and an id of another one, are refused', async () => {
    const transferId = service.add()
    const other = `tr${'b'.repeat(16)}`
    const missing = openStream('watch', other)
    await missing.until(() => missing.text().includes('ERR_TRANSFER_NOT_FOUND'))
    missing.socket.destroy()
    for (const id of [`${other}.3`, 'nonsense', `${transferId}.-1`]) {
      const stream = openStream('watch', transferId, id)
      await stream.until(() => stream.text().includes('ERR_USAGE'))
      stream.socket.destroy()
    }
  })

  test('stop ends open streams at once', async () => {
    const transferId = service.add()
    service.pushProgress(transferId, 1, 0)
    const stream = openStream('watch', transferId)
    await stream.until(() => stream.events().length > 0)
    const closed = new Promise((resolve) => stream.socket.once('close', resolve))
    await server.stop()
    await closed
    expect(stream.socket.destroyed).toBe(true)
  })
})

describe('the page', () => {
  const html = Buffer.from('<!doctype html>')
  const files = new Map([
    ['/index.html', { contentType: 'text/html; charset=utf-8', body: html }],
    ['/assets/a.js', { contentType: 'text/javascript; charset=utf-8', body: Buffer.from('1') }],
  ])
  /** Pieces are the spool's own tests'. */
  const spool = new Spool({
    dir: '/nowhere/spool',
    records: { get: () => undefined, findBySubmission: () => undefined },
  })
  const open = { authorization: '' }

  beforeEach(async () => {
    await server.stop()
    server = createApiServer({ service, token: TOKEN, version: '0.1.0', page: { files, spool } })
    url = (await server.start()).url
  })

  const issue = async (): Promise<string> => {
    const answer = await post('page.issueTicket', undefined)
    return JSON.parse(answer.body).result.data.ticket
  }
  const signIn = (ticket: string, headers: Record<string, string> = {}) =>
    ask({
      method: 'POST',
      path: '/session',
      headers: { ...open, 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ ticket }),
    })

  test('its files are served without a token, under a policy that lets nothing else in', async () => {
    for (const path of ['/', '/send', '/receive', `/transfers/tr${'a'.repeat(16)}`, '/?x=1']) {
      const answer = await ask({ path, headers: open })
      expect(answer.status, path).toBe(200)
      expect(answer.body).toBe(html.toString())
      const policy = String(answer.headers['content-security-policy'])
      expect(policy).toContain("default-src 'none'; script-src 'self';")
      expect(policy).not.toContain('unsafe')
      expect(answer.headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' })
    }
    expect((await ask({ path: '/assets/a.js', headers: open })).headers['content-type']).toContain('javascript')
    for (const path of ['/nothing', '/../index.html', '/assets', '/%2e%2e/etc/passwd', '/transfers/x']) {
      expect((await ask({ path, headers: open })).status, path).toBe(404)
    }
  })

  test('a link of another site may lead to it, but no site may load a part of it, and no other name is served', async () => {
    const crossSite = { ...open, 'sec-fetch-site': 'cross-site' }
    expect((await ask({ path: '/', headers: { ...crossSite, 'sec-fetch-mode': 'navigate' } })).status).toBe(200)
    expect((await ask({ path: '/assets/a.js', headers: { ...crossSite, 'sec-fetch-mode': 'no-cors' } })).status).toBe(
      403,
    )
    expect((await ask({ path: '/', headers: { ...open, host: 'evil.test' } })).status).toBe(421)
  })

  test('the API behind it stays closed without a token, however its address is written', async () => {
    for (const path of [
      '/trpc/node.status',
      '/%74rpc/node.status',
      '/trpc%2Fnode.status',
      '//trpc/node.status',
      '/./trpc/node.status',
    ]) {
      const answer = await ask({ path, headers: open })
      expect([401, 404], path).toContain(answer.status)
      expect(answer.body).not.toContain('node.status')
    }
    expect((await ask({ path: '/%74rpc/node.status', headers: open })).status).toBe(401)
    expect((await ask({ path: '/trpc/', headers: open })).status).toBe(401)
    expect((await ask({ headers: open })).status).toBe(401)
    expect(
      (await ask({ method: 'POST', path: '/trpc/node.stop', headers: { ...open, 'content-type': 'application/json' } }))
        .status,
    ).toBe(401)
    const piece = { ...open, 'content-type': 'application/octet-stream' }
    expect((await ask({ method: 'PUT', path: '/spool/x?path=a&offset=0', headers: piece, body: 'x' })).status).toBe(401)
  })

  test('a ticket becomes a token once; the token is another one than the node’s and opens the API', async () => {
    const ticket = await issue()
    const answer = await signIn(ticket)
    expect(answer.status).toBe(200)
    const { token } = JSON.parse(answer.body)
    expect(token).not.toBe(TOKEN)
    expect((await ask({ headers: { authorization: `Bearer ${token}` } })).status).toBe(200)
    const again = await signIn(ticket)
    expect(again.status).toBe(401)
    expect(JSON.parse(again.body).code).toBe('ERR_LINK_USED')
    for (const guess of ['a'.repeat(43), '', 'x']) expect((await signIn(guess)).status).toBe(401)
  })

  test('another site cannot sign in', async () => {
    const ticket = await issue()
    expect((await signIn(ticket, { origin: 'https://evil.test' })).status).toBe(403)
    expect((await signIn(ticket, { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' })).status).toBe(403)
    expect((await signIn(ticket, { 'content-type': 'text/plain' })).status).toBe(415)
    expect((await signIn(ticket)).status).toBe(200)
  })

  test('a page’s token is known by the node after a restart on the same port', async () => {
    const { token } = JSON.parse((await signIn(await issue())).body)
    const port = Number(new URL(url).port)
    await server.stop()
    server = createApiServer({ service, token: TOKEN, version: '0.1.0', preferredPort: port, page: { files, spool } })
    expect((await server.start()).port).toBe(port)
    expect((await ask({ headers: { authorization: `Bearer ${token}` } })).status).toBe(200)
  })

  test('where the port is taken, the node takes another one', async () => {
    const other = createApiServer({
      service,
      token: TOKEN,
      version: '0.1.0',
      preferredPort: Number(new URL(url).port),
    })
    const started = await other.start()
    expect(started.url).not.toBe(url)
    await other.stop()
  })

  test('a piece is a piece: nothing else is taken in its place', async () => {
    const authorization = `Bearer ${TOKEN}`
    const type = 'application/octet-stream'
    const put = (path: string, headers: Record<string, string>, body: string) =>
      ask({ method: 'PUT', path, headers: { authorization, ...headers }, body })
    expect((await put('/spool/x?path=a', { 'content-type': type }, 'x')).status).toBe(400)
    expect((await put('/spool/x?path=a&offset=-1', { 'content-type': type }, 'x')).status).toBe(400)
    expect((await put('/spool/x?path=a&offset=0', { 'content-type': 'text/plain' }, 'x')).status).toBe(415)
    const gone = await put('/spool/x?path=a&offset=0', { 'content-type': type }, 'x')
    expect(JSON.parse(gone.body).code).toBe('ERR_SPOOL_GONE')
    const tooMuch = 'x'.repeat(SPOOL_PIECE_BYTES + 1)
    expect((await put('/spool/x?path=a&offset=0', { 'content-type': type }, tooMuch)).status).toBe(413)
  })
})
