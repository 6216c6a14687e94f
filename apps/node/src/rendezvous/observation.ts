/** Asking the rendezvous for a socket's own address as seen from outside: the datagrams, and when they are sent. */
import { randomBytes } from 'node:crypto'
import { fail, ok, type Result } from '@godwit/protocol/errors'
import {
  decodeObserveAnswer,
  encodeObserveRequest,
  OBSERVE_NONCE_BYTES,
  type ObservedAddress,
} from '@godwit/protocol/observe'

/** One question: the same datagram may be sent several times, since datagrams get lost. */
export interface AddressQuestion {
  /** To be sent, from the socket whose address is asked for, to each of `targets` of its family. */
  readonly datagram: Uint8Array
  readonly targets: readonly ObservationTarget[]
  /** The address that a received datagram tells; undefined when it is not the answer. */
  read(datagram: Uint8Array): ObservedAddress | undefined
}

export interface ObservationTarget {
  readonly ip: string
  readonly family: 'ipv4' | 'ipv6'
  readonly port: number
}

/** @param token - from `observeToken`, good for a minute. */
export const addressQuestion = (token: Uint8Array, targets: readonly ObservationTarget[]): AddressQuestion => {
  const nonce = randomBytes(OBSERVE_NONCE_BYTES)
  return {
    datagram: encodeObserveRequest({ token, nonce }),
    targets,
    read: (datagram) => decodeObserveAnswer(datagram, nonce),
  }
}

/** The socket whose address is asked for, as far as it is needed. */
export interface ObservedSocket {
  readonly family: 'ipv4' | 'ipv6'
  send(datagram: Uint8Array, target: ObservationTarget): void
  /** Hands over every datagram that comes in until the returned function is called. */
  onDatagram(handler: (datagram: Uint8Array) => void): () => void
}

/** Milliseconds after the first datagram at which it is sent again, and at which it is given up. */
const REPEAT_AT_MS = [0, 250, 750, 1500] as const
const GIVE_UP_MS = 3000

/** Sends the question, again and again, until it is answered. ERR_RENDEZVOUS_UNREACHABLE: UDP does not get through. */
export const askForAddress = (
  socket: ObservedSocket,
  question: AddressQuestion,
  signal?: AbortSignal,
): Promise<Result<ObservedAddress>> =>
  new Promise((resolve) => {
    const targets = question.targets.filter((target) => target.family === socket.family)
    const finish = (result: Result<ObservedAddress>): void => {
      stopListening()
      for (const timer of timers) clearTimeout(timer)
      signal?.removeEventListener('abort', giveUp)
      resolve(result)
    }
    const giveUp = (): void => finish(fail('ERR_RENDEZVOUS_UNREACHABLE', 'no answer over UDP'))
    const stopListening = socket.onDatagram((datagram) => {
      const address = question.read(datagram)
      if (address !== undefined) finish(ok(address))
    })
    const timers = REPEAT_AT_MS.map((atMs) =>
      setTimeout(() => {
        for (const target of targets) socket.send(question.datagram, target)
      }, atMs),
    )
    timers.push(setTimeout(giveUp, targets.length === 0 ? 0 : GIVE_UP_MS))
    signal?.addEventListener('abort', giveUp, { once: true })
  })
