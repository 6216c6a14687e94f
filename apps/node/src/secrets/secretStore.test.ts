import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Secret } from '../crypto/secret.js'
import { SecretStore } from './secretStore.js'
import { NO_SECRETS, resumptionOf, type TransferSecrets, withResumption } from './transferSecrets.js'

const ID = 'trabcdefgh234567ab'
const resumption = (fill: number, generation: number) => ({
  id: new Uint8Array(16).fill(fill),
  secret: new Uint8Array(32).fill(fill),
  generation,
})

const full = (): TransferSecrets =>
  withResumption(
    {
      ...NO_SECRETS,
      passphrase: { kind: 'words', text: Secret.fromText('canary-canary-canary') },
      roomToken: Secret.fromText('token-canary'),
      roomSalt: new Secret(new Uint8Array(16).fill(3)),
      roomKey: { publicKey: new Secret(new Uint8Array(32).fill(4)), secretKey: new Secret(new Uint8Array(64).fill(5)) },
      exposedHandshakes: 2,
    },
    'rcone',
    { current: resumption(7, 2), previous: resumption(6, 1) },
  )

let dataDir: string
let store: SecretStore
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'godwit-secrets-'))
  store = new SecretStore(dataDir)
})
afterEach(() => rm(dataDir, { recursive: true, force: true }))

const readBack = async (): Promise<TransferSecrets> => {
  const read = await store.read(ID)
  if (!read.ok || read.value === null) throw new Error('nothing was read')
  return read.value
}

describe('the secret store', () => {
  test('gives back what was written, in a file that only its owner can read', async () => {
    expect(await store.write(ID, full())).toEqual({ ok: true, value: null })
    const secrets = await readBack()
    expect(secrets.passphrase?.text.text()).toBe('canary-canary-canary')
    expect(secrets.roomToken?.text()).toBe('token-canary')
    expect(secrets.roomKey?.secretKey.bytes()).toEqual(new Uint8Array(64).fill(5))
    expect(secrets.exposedHandshakes).toBe(2)
    expect(resumptionOf(secrets, 'rcone')).toEqual({ current: resumption(7, 2), previous: resumption(6, 1) })
    expect(resumptionOf(secrets, 'rctwo')).toBeNull()
    expect((await stat(join(dataDir, 'secrets'))).mode & 0o777).toBe(0o700)
    expect((await stat(join(dataDir, 'secrets', `${ID}.json`))).mode & 0o777).toBe(0o600)
    expect(await readdir(join(dataDir, 'secrets'))).toEqual([`${ID}.json`])
  })

  test('what it yields shows no secret when printed', async () => {
    await store.write(ID, full())
    const secrets = await readBack()
    const shown = JSON.stringify(secrets) + inspect(secrets, { depth: 9 })
    expect(shown).not.toContain('canary')
    expect(shown).not.toContain(Buffer.from('canary').toString('base64url').slice(0, 8))
    expect(shown).not.toContain(Buffer.alloc(32, 7).toString('base64url'))
  })

  test('nothing there is null; a damaged file is a failure that repeats none of it', async () => {
    expect(await store.read(ID)).toEqual({ ok: true, value: null })
    await store.write(ID, full())
    const path = join(dataDir, 'secrets', `${ID}.json`)
    const text = await readFile(path, 'utf8')
    for (const damaged of ['', text.slice(0, -20), text.replace('"version":1', '"version":2'), 'null', '[]']) {
      await writeFile(path, damaged)
      expect(await store.read(ID)).toEqual({
        ok: false,
        failure: { code: 'ERR_DATA_DIR', detail: 'The secrets of a transfer are damaged' },
      })
    }
  })

  test('changes that overlap are worked off in order, and none is lost', async () => {
    await store.write(ID, full())
    await Promise.all(
      Array.from({ length: 20 }, () =>
        store.update(ID, (secrets) =>
          secrets === null ? null : { ...secrets, exposedHandshakes: secrets.exposedHandshakes + 1 },
        ),
      ),
    )
    expect((await readBack()).exposedHandshakes).toBe(22)
  })

  test('a temporary file that a crash left is no obstacle and no secret of anybody’s', async () => {
    await store.write(ID, full())
    await writeFile(join(dataDir, 'secrets', `${ID}.json.tmp`), '{"half', { mode: 0o644 })
    expect((await readBack()).exposedHandshakes).toBe(2)
    await store.write(ID, NO_SECRETS)
    expect((await readBack()).passphrase).toBeNull()
    expect((await stat(join(dataDir, 'secrets', `${ID}.json`))).mode & 0o777).toBe(0o600)
  })

  test('each receiver has its own, and all go at completion', async () => {
    await store.write(ID, withResumption(full(), 'rctwo', { current: resumption(8, 1), previous: null }))
    const secrets = await readBack()
    expect(resumptionOf(secrets, 'rcone')?.current.generation).toBe(2)
    expect(resumptionOf(secrets, 'rctwo')?.current.generation).toBe(1)
    await store.delete(ID)
    await store.delete(ID)
    expect(await store.read(ID)).toEqual({ ok: true, value: null })
    expect(await readdir(join(dataDir, 'secrets'))).toEqual([])
  })

  test('deleting leaves nothing of a writing that was cut off', async () => {
    await store.write(ID, full())
    await writeFile(join(dataDir, 'secrets', `${ID}.json.tmp`), JSON.stringify('canary'))
    await store.delete(ID)
    expect(await readdir(join(dataDir, 'secrets'))).toEqual([])
    // Nothing was written yet.
    await rm(join(dataDir, 'secrets'), { recursive: true })
    await store.delete(ID)
  })

  test('at start what belongs to no transfer goes, and so does what a crash left half written', async () => {
    const [ended, halfWritten] = ['trendedgfh234567ab', 'trhalfwritten4567a']
    await store.write(ID, full())
    await store.write(ended, full())
    await writeFile(join(dataDir, 'secrets', `${ID}.json.tmp`), '{"half')
    await writeFile(join(dataDir, 'secrets', `${halfWritten}.json.tmp`), '{"half')
    await writeFile(join(dataDir, 'secrets', 'notes.txt'), 'the user’s own')
    await store.keepOnly((id) => id === ID)
    expect((await readdir(join(dataDir, 'secrets'))).sort()).toEqual(['notes.txt', `${ID}.json`].sort())
    expect((await readBack()).exposedHandshakes).toBe(2)
  })
})
