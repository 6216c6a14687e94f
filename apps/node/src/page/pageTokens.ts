/**
 * The tokens of signed-in pages. A page never gets the token of the data directory: it gets one that is derived from
 * it, ends by itself, and is known again after a restart of the node without being stored anywhere.
 *
 * ```
 * "page" | when it ends, ms since 1970, base 36 (9) | random (22) | HMAC-SHA256 of the rest under the token (43)
 * ```
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { PageSession } from '@godwit/protocol/api'
import { PAGE_SESSION_MS } from '@godwit/protocol/limits'

const FORM = /^(page([0-9a-z]{9})[A-Za-z0-9_-]{22})([A-Za-z0-9_-]{43})$/

const macOf = (token: string, body: string): string =>
  createHmac('sha256', token).update(`godwit page token ${body}`).digest('base64url')

/** @param token - the data directory's. @param now - wall clock, milliseconds since 1970. */
export const issuePageToken = (token: string, now: number): PageSession => {
  const expiresAt = now + PAGE_SESSION_MS
  const body = `page${expiresAt.toString(36).padStart(9, '0')}${randomBytes(16).toString('base64url')}`
  return { token: `${body}${macOf(token, body)}`, expiresAt }
}

/** Whether `text` is a token of a page that was made from `token` and has not ended. */
export const isPageToken = (text: string, token: string, now: number): boolean => {
  const [, body, expiresAt, mac] = FORM.exec(text) ?? []
  if (body === undefined || expiresAt === undefined || mac === undefined) return false
  const isOurs = timingSafeEqual(Buffer.from(mac), Buffer.from(macOf(token, body)))
  return isOurs && Number.parseInt(expiresAt, 36) > now
}
