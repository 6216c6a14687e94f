/** The receiver's way to a session, against the sender's machine: what it counts before it speaks, and whom it believes. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PairingResponder } from '@godwit/engine/handshake/pairingResponder'
import { wakesFor } from '@godwit/engine/handshake/wake'
import type { HandshakeCrypto } from '@godwit/engine/ports/handshakeCrypto'
import type { Failure } from '@godwit/protocol/errors'
import { bareWake, decodeWake } from '@godwit/protocol/wakeMessage'
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { createHandshakeCrypto } from '../crypto/handshakeCrypto.js'
import { contextOf, roomOf, WORDS, withoutStretching } from '../crypto/handshakeTesting.js'
import { Secret } from '../crypto/secret.js'
import { SecretStore } from '../secrets/secretStore.js'
import { NO_SECRETS, resumptionOf, withResumption } from '../secrets/transferSecrets.js'
import { ReceiverConnector } from './receiverConnector.js'

const ID = 'trabcdefgh234567ab'
const RECEIVER = 'rcabcdefgh234567ab'

let crypto: HandshakeCrypto
beforeAll(async () => {
  crypto = withoutStretching(await createHandshakeCrypto())
})

let dataDir: string
let secrets: SecretStore
let posted: Uint8Array[]
let failures: Failure[]
let pairings: number
let connector: ReceiverConnector
let onPost: () => Promise<void> | void
let onFailure: () => void

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'godwit-connector-'))
  secrets = new SecretStore(dataDir)
  const text = Secret.fromText(WORDS.join('-'))
  await secrets.write(ID, { ...NO_SECRETS, passphrase: { kind: 'words', text } })
  posted = []
  failures = []
  pairings = 0
  onPost = () => {}
  onFailure = () => {}
  connector = new ReceiverConnector({
    context: { crypto, deviceName: 'receiver', secrets },
    transferId: ID,
    receiver: () => RECEIVER,
    candidatePolicy: { allowsLoopback: true },
    openSession: () => Promise.resolve(undefined),
    post: async (message) => {
      posted.push(message)
      await onPost()
    },
    isWanted: () => Promise.resolve(true),
    fail: (failure) => {
      failures.push(failure)
      onFailure()
      return Promise.resolve()
    },
    spawn: (task) => void task(),
    onPaired: () => {
      pairings += 1
      return Promise.resolve()
    },
    onKeys: () => Promise.resolve(),
  })
})
afterEach(async () => {
  connector.stop()
  await rm(dataDir, { recursive: true, force: true })
})

/** The next message that the connector posts. */
const nextPost = (): Promise<Uint8Array> =>
  new Promise((resolve) => {
    onPost = () => resolve(posted.at(-1) ?? new Uint8Array())
  })

/** Runs the handshake up to the message that makes the connector confirm; what the sender's machine is then at. */
const untilConfirmation = async () => {
  const sender = new PairingResponder(contextOf(crypto, 'sender', 40_002), roomOf(crypto))
  const first = nextPost()
  connector.connect()
  const m1 = await sender.handle(await first)
  if (m1.kind !== 'send') throw new Error('the sender did not answer')
  await connector.onMessage(m1.message)
  const m3 = await sender.handle(posted.at(-1) ?? new Uint8Array())
  if (m3.kind !== 'send') throw new Error('the sender did not answer')
  return { sender, m3: m3.message }
}

const exposed = async (): Promise<number> => {
  const read = await secrets.read(ID)
  return read.ok ? (read.value?.exposedHandshakes ?? 0) : -1
}

test('the confirmation is counted on disk before it leaves, and the count goes back when the answer is right', async () => {
  const { sender, m3 } = await untilConfirmation()
  let countedBefore = -1
  onPost = async () => {
    countedBefore = await exposed()
  }
  await connector.onMessage(m3)
  expect(await exposed()).toBe(1)
  expect(countedBefore).toBe(1)
  const m5 = await sender.handle(posted.at(-1) ?? new Uint8Array())
  await connector.onMessage(m5.kind === 'paired' && m5.message !== null ? m5.message : new Uint8Array())
  expect([pairings, await exposed()]).toEqual([1, 0])
})

test('a confirmation that cannot be counted does not leave', async () => {
  const { m3 } = await untilConfirmation()
  expect(posted).toHaveLength(2)
  await rm(join(dataDir, 'secrets'), { recursive: true })
  await writeFile(join(dataDir, 'secrets'), 'a file in the place of the folder')
  await connector.onMessage(m3)
  expect(posted).toHaveLength(2)
  expect(failures).toMatchObject([{ code: 'ERR_DATA_DIR' }])
})

test('after three confirmations without a right answer a human decides', async () => {
  await secrets.update(ID, (before) => before && { ...before, exposedHandshakes: 3 })
  const failed = new Promise<void>((resolve) => {
    onFailure = resolve
  })
  connector.connect()
  await failed
  expect(failures[0]?.code).toBe('ERR_WRONG_CODE')
  expect(posted).toEqual([])
})

test('a bare wake is believed until the two have paired, and then only one that the sender has signed', async () => {
  const wakeOf = (message: Uint8Array) => decodeWake(message) ?? null
  expect(await connector.believes(wakeOf(bareWake()))).toBe(true)
  const current = { id: crypto.randomBytes(16), secret: crypto.randomBytes(32), generation: 1 }
  await secrets.update(ID, (before) => before && withResumption(before, RECEIVER, { current, previous: null }))
  const [signed = new Uint8Array()] = wakesFor(crypto, { current, previous: null })
  expect(await connector.believes(wakeOf(bareWake()))).toBe(false)
  expect(await connector.believes(wakeOf(signed))).toBe(true)
  const read = await secrets.read(ID)
  expect(read.ok && read.value !== null && resumptionOf(read.value, RECEIVER)?.current).toEqual(current)
})
