/**
 * A rendezvous that lies: a proxy in front of a real one, which passes everything on and says besides what a test wants.
 * It has no key and knows no word, just as the one who runs a rendezvous.
 */
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'

/** An open stream of `rooms.watch`. */
interface Watcher {
  readonly response: ServerResponse
  /** The last cursor that went by: what is said besides carries it too, so that the real server goes on from there. */
  cursor: string
}

export class HostileRendezvous {
  readonly #target: URL
  readonly #server = createServer((incoming, outgoing) => this.#pass(incoming, outgoing))
  readonly #watchers = new Set<Watcher>()
  /** Version of the events that are made up: it has to rise. */
  #version = 1_000_000

  private constructor(target: URL) {
    this.#target = target
  }

  /** @param target - `http://host:port` of the real one. */
  static async start(target: string): Promise<HostileRendezvous> {
    const hostile = new HostileRendezvous(new URL(target))
    await new Promise<void>((resolve) => hostile.#server.listen(0, '127.0.0.1', resolve))
    return hostile
  }

  /** `host:port`, as a code carries it. */
  get address(): string {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('the proxy has no port')
    return `127.0.0.1:${address.port}`
  }

  /** Ids of the receivers of the room, as far as they have shown. */
  readonly receivers = new Set<string>()

  /** How many watch through it. */
  get watchers(): number {
    return this.#watchers.size
  }

  /** Says that a message came. */
  sayMessage(from: string, body: Uint8Array): void {
    this.#say({ kind: 'message', from, body: Buffer.from(body).toString('base64') })
  }

  /** Says that something has happened in the room. */
  sayEvent(type: string, data: object): void {
    this.#version += 1
    this.#say({ kind: 'event', roomVersion: this.#version, event: { type, data } })
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #say(item: object): void {
    for (const { response, cursor } of this.#watchers) {
      response.write(`id: ${cursor}\ndata: ${JSON.stringify(item)}\n\n`)
    }
  }

  #pass(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const { method, url, headers } = incoming
    const { hostname, port } = this.#target
    const inner = request({ hostname, port, method, path: url, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      if (url?.includes('rooms.watch') === true) this.#watch(answer, outgoing)
      else answer.pipe(outgoing)
    })
    inner.on('error', () => outgoing.destroy())
    outgoing.on('close', () => inner.destroy())
    incoming.pipe(inner)
  }

  /** Passes on whole events, so that nothing is said in the middle of one. */
  #watch(answer: IncomingMessage, outgoing: ServerResponse): void {
    const watcher: Watcher = { response: outgoing, cursor: '0_0-0' }
    let rest = ''
    answer.setEncoding('utf8')
    answer.on('data', (text: string) => {
      rest += text
      for (let end = rest.indexOf('\n\n'); end >= 0; end = rest.indexOf('\n\n')) {
        const event = rest.slice(0, end + 2)
        rest = rest.slice(end + 2)
        watcher.cursor = /^id: (.+)$/m.exec(event)?.[1] ?? watcher.cursor
        for (const [receiver] of event.matchAll(/rc[a-z2-7]{16}/g)) this.receivers.add(receiver)
        outgoing.write(event)
        this.#watchers.add(watcher)
      }
    })
    answer.on('end', () => outgoing.end())
    answer.on('error', () => outgoing.destroy())
    outgoing.on('close', () => this.#watchers.delete(watcher))
  }
}
