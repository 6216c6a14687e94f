import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { Secret } from './secret.js'

test('a secret shows itself nowhere', () => {
  const secret = Secret.fromText('canary')
  const shown = [
    String(secret),
    `${secret}`,
    JSON.stringify({ secret }),
    inspect(secret),
    inspect({ deep: [secret] }, { depth: 9, showHidden: true }),
    JSON.stringify(Object.entries(secret)),
    new Error(`failed with ${secret}`).message,
  ].join(' ')
  expect(shown).not.toContain('canary')
  expect(shown).toContain('[secret]')
})

test('it comes out by name, and is gone after zero()', () => {
  const secret = Secret.fromText('canary')
  expect(secret.text()).toBe('canary')
  expect(Secret.fromBase64url(secret.base64url()).equals(secret)).toBe(true)
  expect(secret.equals(Secret.fromText('canarx'))).toBe(false)
  secret.zero()
  expect(secret.bytes()).toEqual(new Uint8Array(6))
})
