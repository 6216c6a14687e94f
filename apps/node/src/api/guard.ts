/**
 * Decides whether a request may reach the API at all, by its headers alone. The API has the power of the user's account,
 * and loopback is no boundary: any web page can reach it through the user's browser (DNS rebinding, CVE-2018-5702), and
 * so can every other user of the machine. Reads are guarded like writes.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { isPageToken } from '../page/pageTokens.js'

export interface Guard {
  /** The port that the API listens on: part of the only hosts that it answers to. */
  readonly port: number
  readonly token: string
  /** Wall clock, milliseconds since 1970: the tokens of pages end. */
  readonly now: number
}

/**
 * What a request asks for. `api`: what only this user may do. `signIn`: what a page may do before it has a token.
 * `page`: the files of the page, which hold nothing secret and which a link elsewhere may lead to.
 */
export type Asked = 'api' | 'signIn' | 'page'

/** Why a request is turned away. */
export interface Refusal {
  readonly status: 401 | 403 | 421
  readonly reason: string
}

const sha256 = (text: string): Buffer => createHash('sha256').update(text, 'utf8').digest()

/** Compares in a time that depends on neither of the two: their hashes have one length. */
const isSameSecret = (a: string, b: string): boolean => timingSafeEqual(sha256(a), sha256(b))

/** @returns undefined when the request may pass. */
export const refusalOf = (headers: IncomingHttpHeaders, guard: Guard, asked: Asked = 'api'): Refusal | undefined => {
  const hosts = [`127.0.0.1:${guard.port}`, `localhost:${guard.port}`, `[::1]:${guard.port}`]
  // Never compared with Origin: after a rebinding the two are equal, and both are the attacker's.
  if (headers.host === undefined || !hosts.includes(headers.host.toLowerCase())) {
    return { status: 421, reason: 'this host is not served here' }
  }
  const { origin } = headers
  if (origin !== undefined && !hosts.some((host) => origin === `http://${host}`)) {
    return { status: 403, reason: 'requests of other sites are refused' }
  }
  const site = headers['sec-fetch-site']
  const isOpened = asked === 'page' && headers['sec-fetch-mode'] === 'navigate'
  if (site !== undefined && site !== 'same-origin' && site !== 'none' && !isOpened) {
    return { status: 403, reason: 'requests of other sites are refused' }
  }
  if (asked !== 'api') return undefined
  const bearer = /^Bearer ([A-Za-z0-9_-]{1,256})$/.exec(headers.authorization ?? '')?.[1]
  if (bearer === undefined) return { status: 401, reason: 'the token is missing or wrong' }
  if (!isSameSecret(bearer, guard.token) && !isPageToken(bearer, guard.token, guard.now)) {
    return { status: 401, reason: 'the token is missing or wrong' }
  }
  return undefined
}
