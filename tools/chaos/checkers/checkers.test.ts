/** A checker that never finds anything is none: each is shown what it is there for. */
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { planOf } from '../plan.mjs'
import { CHECKERS } from './all.mjs'
import { differences } from './filesEqual.mjs'
import { collectSecrets, searchSecrets, sizesOf } from './noSecrets.mjs'

type Evidence = Parameters<(typeof CHECKERS)[number]['check']>[0]

let folder: string
let evidence: Evidence

/** The beginning of a receiver's stream. */
const EVENTS: readonly (readonly [type: string, data: object])[] = [
  [
    'TransferEnqueued',
    {
      role: 'receiver',
      submissionId: 's',
      capacity: 1,
      receiversWanted: 1,
      limit: null,
      profile: null,
      fileCount: 0,
      totalBytes: 0,
      chunkCount: 0,
      acceptsAtOnce: true,
    },
  ],
  ['RoomEntered', { roomId: 'rm1', nameplate: '1', rendezvousUrl: 'http://v.test', advertise: null, receiver: 'rc1' }],
]

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'godwit-checkers-'))
  const output = join(folder, 'out')
  for (const path of ['in', 'out']) mkdirSync(join(folder, path))
  for (const path of ['in/a', 'out/a']) {
    writeFileSync(join(folder, path), 'content')
    utimesSync(join(folder, path), 1e9, 1e9)
  }
  const plan = planOf(1, { kinds: ['killNode'], isLong: false, hasNetwork: true, hasLarge: false })
  const done = { state: 'completed', reason: null }
  evidence = {
    plan,
    cargo: { name: 'oneFile', paths: [join(folder, 'in', 'a')], bytes: 7, limit: 1 },
    output,
    samples: [
      { sender: undefined, receiver: { state: 'transferring' } },
      { sender: done, receiver: done },
    ],
    last: { sender: done, receiver: done },
    ended: { sender: 'completed', receiver: 'completed' },
    missingAtCompletion: [],
    claimsNotHeld: [],
    stored: { sender: stored(), receiver: stored() },
    around: { before: ['in', 'out'], after: ['in', 'out'] },
    sourcesChanged: [],
    secretsFound: [],
    resources: [{ side: 'sender', peakRssBytes: 1, openFiles: 1 }],
    sentAgainBytes: 0,
    resumes: [{ kind: 'killNode', ms: 1000 }],
    trouble: [],
  }
})
afterEach(() => rmSync(folder, { recursive: true }))

function stored(): Evidence['stored']['sender'] {
  return {
    transferId: 'tr1',
    stream: EVENTS.map(([type, data], index) => ({
      id: `${index + 1}-1`,
      fields: { type, data: JSON.stringify(data), at: '1', schema: '1' },
    })),
    projection: null,
  }
}

/** What the checkers but that of events say: the made-up streams of this test are judged apart. */
const findings = () =>
  CHECKERS.flatMap(({ name, check }) =>
    name === 'events fold' ? [] : check(evidence).map((text) => `${name}: ${text}`),
  )

const eventFindings = () => CHECKERS.find(({ name }) => name === 'events fold')?.check(evidence) ?? []

test('a run in which nothing is wrong', () => {
  expect(findings()).toEqual([])
})

test.each<[string, (evidence: Evidence) => void]>([
  ['always ends', ({ last }) => Object.assign(last, { receiver: { state: 'failed', reason: null } })],
  ['always ends', ({ last }) => Object.assign(last, { sender: undefined })],
  ['always ends', ({ trouble }) => trouble.push('the node does not come up')],
  ['files equal', ({ output }) => writeFileSync(join(output, 'a'), 'CONTENT')],
  ['files equal', ({ output }) => rmSync(join(output, 'a'))],
  ['no false complete', ({ missingAtCompletion }) => missingAtCompletion.push('a is missing')],
  ['no false complete', ({ samples }) => samples.push({ sender: undefined, receiver: { state: 'transferring' } })],
  ['log within disk', ({ claimsNotHeld }) => claimsNotHeld.push('chunk 3 is not on the disk')],
  ['inside the target', ({ output }) => mkdirSync(join(output, '.godwit-tr1'))],
  ['inside the target', ({ around }) => around.after.push('elsewhere')],
  ['no secrets', ({ secretsFound }) => secretsFound.push('abcd… is in a log')],
  ['bounded', ({ resources }) => Object.assign(resources[0] ?? {}, { openFiles: 5000 })],
  ['bounded', ({ resources }) => Object.assign(resources[0] ?? {}, { peakRssBytes: 2 ** 31 })],
  ['sent again', (changed) => Object.assign(changed, { sentAgainBytes: 2 ** 31 })],
  ['resumes in time', ({ resumes }) => resumes.push({ kind: 'killNode', ms: 30_000 })],
])('%s finds what it is there for', (name, spoil) => {
  spoil(evidence)
  expect(findings().map((text) => text.split(':')[0])).toContain(name)
})

test('a gap, an event of no shape and a projection that is behind are found', () => {
  const [first, second] = evidence.stored.sender.stream
  if (first === undefined || second === undefined) throw new Error('two events were made')
  expect(eventFindings()).toEqual(['sender: no projection is stored', 'receiver: no projection is stored'])
  evidence.stored.sender.stream = [first, { ...second, id: '3-1' }]
  expect(eventFindings()[0]).toBe('sender: entry 2 is 3-1')
  evidence.stored.sender.stream = [first, { ...second, fields: { ...second.fields, data: '{}' } }]
  expect(eventFindings()[0]).toMatch(/^sender: 2-1 is no RoomEntered/)
  evidence.stored.sender = { ...stored(), projection: '1 {}' }
  expect(eventFindings()[0]).toBe('sender: the projection is at 1 of 2')
  evidence.stored.sender = { ...stored(), projection: '2 {}' }
  expect(eventFindings()[0]).toBe('sender: the fold is not the projection')
})

test('trees differ by bytes, kind, time, mode and what is there', () => {
  const [left, right] = ['l', 'r'].map((name) => join(folder, name)) as [string, string]
  for (const side of [left, right]) {
    mkdirSync(side)
    writeFileSync(join(side, 'f'), 'x')
    utimesSync(join(side, 'f'), 1e9, 1e9)
    utimesSync(side, 1e9, 1e9)
  }
  expect(differences(left, right)).toEqual([])
  utimesSync(join(right, 'f'), 1e9, 1e9 + 1)
  expect(differences(left, right)).toHaveLength(1)
  writeFileSync(join(right, 'g'), '')
  utimesSync(right, 1e9, 1e9)
  expect(differences(left, right)).toContain(`${join(right, 'g')} was not sent`)
})

test('a secret is found where it was written since, and not in its own file', () => {
  const dataDir = join(folder, 'd')
  mkdirSync(join(dataDir, 'secrets'), { recursive: true })
  const secret = 'c2VjcmV0LXNlY3JldC1zZWNyZXQ'
  writeFileSync(join(dataDir, 'secrets', 'tr1.json'), JSON.stringify({ roomToken: secret, id: 'public-public-public' }))
  writeFileSync(join(dataDir, 'node.log'), 'nothing')
  const secrets = new Set<string>()
  collectSecrets([{ dataDir }] as unknown as Parameters<typeof collectSecrets>[0], secrets)
  expect([...secrets]).toEqual([secret])
  const before = sizesOf([dataDir])
  expect(searchSecrets([dataDir], before, secrets)).toEqual([])
  writeFileSync(join(dataDir, 'node.log'), `nothing but ${secret}`)
  expect(searchSecrets([dataDir], before, secrets)).toHaveLength(1)
})
