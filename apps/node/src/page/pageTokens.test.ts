import { PAGE_SESSION_MS } from '@godwit/protocol/limits'
import { expect, test } from 'vitest'
import { isPageToken, issuePageToken } from './pageTokens.js'

const TOKEN = 'k'.repeat(43)
const NOW = 1_800_000_000_000

test('a page’s token is known again, by its node alone, until it ends', () => {
  const { token, expiresAt } = issuePageToken(TOKEN, NOW)
  expect(expiresAt).toBe(NOW + PAGE_SESSION_MS)
  expect(isPageToken(token, TOKEN, NOW)).toBe(true)
  expect(isPageToken(token, TOKEN, expiresAt - 1)).toBe(true)
  expect(isPageToken(token, TOKEN, expiresAt)).toBe(false)
  expect(isPageToken(token, 'l'.repeat(43), NOW)).toBe(false)
})

test('each page has its own, and none holds the node’s', () => {
  const tokens = [issuePageToken(TOKEN, NOW).token, issuePageToken(TOKEN, NOW).token]
  expect(tokens[0]).not.toBe(tokens[1])
  expect(tokens.join()).not.toContain(TOKEN)
})

test('nothing in it can be changed', () => {
  const { token } = issuePageToken(TOKEN, NOW)
  for (let index = 0; index < token.length; index += 1) {
    const other = token[index] === 'b' ? 'c' : 'b'
    expect(isPageToken(token.slice(0, index) + other + token.slice(index + 1), TOKEN, NOW)).toBe(false)
  }
  for (const text of ['', TOKEN, 'page', token.slice(1), `${token}a`]) expect(isPageToken(text, TOKEN, NOW)).toBe(false)
})
