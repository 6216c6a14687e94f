/** The UDP port that tells nodes their addresses. Whatever is not a request with a good token is dropped in silence. */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { isIPv6 } from 'node:net'
import { decodeObserveRequest, encodeObserveAnswer } from '@godwit/protocol/observe'
import { limitKeyOf } from '../addresses.js'
import type { Rate } from '../options.js'
import { RateLimiter } from '../rateLimiter.js'
import type { ObserveTokens } from './observeTokens.js'

export interface ObserveCounts {
  readonly answered: number
  /** Not a request, or without a good token. */
  readonly dropped: number
  /** More than one address may ask. */
  readonly limited: number
}

export class ObserveServer {
  readonly #tokens: ObserveTokens
  readonly #limiter: RateLimiter
  #socket: Socket | undefined
  #answered = 0
  #dropped = 0
  #limited = 0

  /** @param now - milliseconds of a clock that never goes back. */
  constructor(tokens: ObserveTokens, rate: Rate, now: () => number) {
    this.#tokens = tokens
    this.#limiter = new RateLimiter(rate, now)
  }

  get counts(): ObserveCounts {
    return { answered: this.#answered, dropped: this.#dropped, limited: this.#limited }
  }

  /** Binds; rejects with the socket's error (EADDRINUSE …). @returns the port. */
  async start(host: string, port: number): Promise<number> {
    const socket = createSocket({ type: isIPv6(host) ? 'udp6' : 'udp4' })
    try {
      socket.bind({ port, address: host, exclusive: true })
      await once(socket, 'listening')
    } catch (error) {
      socket.close()
      throw error
    }
    // An answer that cannot be sent (no route) is a lost one.
    socket.on('error', () => undefined)
    socket.on('message', (datagram, from) => this.#onDatagram(socket, datagram, from))
    this.#socket = socket
    return socket.address().port
  }

  async stop(): Promise<void> {
    const socket = this.#socket
    this.#socket = undefined
    if (socket === undefined) return
    await new Promise<void>((resolve) => socket.close(() => resolve()))
  }

  #onDatagram(socket: Socket, datagram: Buffer, from: RemoteInfo): void {
    const request = decodeObserveRequest(datagram)
    if (request === undefined || from.port === 0) {
      this.#dropped += 1
      return
    }
    // Before it is counted: anybody can forge the address of somebody else, and use up what that one may ask.
    if (!this.#tokens.isGood(request.token)) {
      this.#dropped += 1
      return
    }
    if (!this.#limiter.take(limitKeyOf(from.address))) {
      this.#limited += 1
      return
    }
    const answer = encodeObserveAnswer(request.nonce, { ip: from.address, port: from.port })
    if (answer === undefined) {
      this.#dropped += 1
      return
    }
    this.#answered += 1
    socket.send(answer, from.port, from.address, () => undefined)
  }
}
