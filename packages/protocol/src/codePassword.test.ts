import { describe, expect, test } from 'vitest'
import { checkNewPassword, normalizePassword, passwordGuesses } from './codePassword.js'

const codeOf = (password: string): string => {
  const checked = checkNewPassword(password)
  return checked.ok ? 'ok' : checked.failure.code
}

describe('a password in its one form', () => {
  test('spaces, composition and line ends do not matter', () => {
    const composed = normalizePassword('Zu\u0308rich\u00a0am Abend \n')
    expect(composed).toEqual({ ok: true, value: 'Zürich am Abend' })
  })

  test.each(['', '   ', 'tab\tin it', 'lone\ud800', 'x'.repeat(257)])('%j is refused', (password) => {
    expect(normalizePassword(password)).toMatchObject({ ok: false, failure: { code: 'ERR_USAGE' } })
  })
})

describe('a new password', () => {
  test.each([
    'short1!',
    'password',
    'password123',
    'P@ssw0rd2024',
    'aaaaaaaaaaaa',
    'abcabcabcabc',
    '12345678',
    '87654321',
    'qwertyuiop',
    'iloveyou1',
    'Summer2024!',
    'godwitgodwit',
    'tiger12345',
    'hunterhunterhunter',
  ])('%j is too easy', (password) => {
    expect(codeOf(password)).toBe('ERR_PASSWORD_WEAK')
  })

  test.each([
    'correct horse battery staple',
    'kq7wzpx2v',
    'Zürich am Abend im März',
    'tiger-lamp-window',
    'vL9$kf2!xQ',
  ])('%j will do', (password) => {
    expect(codeOf(password)).toBe('ok')
  })

  test('a refusal does not repeat it', () => {
    expect(JSON.stringify(checkNewPassword('password123'))).not.toContain('password123')
  })
})

test('the estimate of the longest password takes no time', () => {
  expect(passwordGuesses('aB3$'.repeat(64))).toBeGreaterThan(1)
  expect(
    passwordGuesses(Array.from({ length: 256 }, (_, i) => String.fromCharCode(33 + ((i * 37) % 90))).join('')),
  ).toBeGreaterThan(1e8)
})
