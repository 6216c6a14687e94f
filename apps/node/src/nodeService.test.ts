/** What the node's service promises whoever asks, over runs, log and rendezvous in memory. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { RealNodeService } from './nodeService.js'
import { RENDEZVOUS, RunWorld, type TestNode, TestTransfer } from './runs/testing/runWorld.js'

let world: RunWorld
let node: TestNode
let isLogReady: boolean
let service: RealNodeService
let path: string

const never = (): Promise<never> => Promise.reject(new Error('not asked here'))

beforeEach(async () => {
  world = await RunWorld.create()
  node = world.node('sender')
  isLogReady = true
  const { log, events, projections, records, secrets, runs } = node
  service = new RealNodeService({
    log,
    events,
    projections,
    records,
    secrets,
    runs,
    rendezvous: RENDEZVOUS,
    isLogReady: () => isLogReady,
    status: never,
    doctor: never,
    configure: () => {
      throw new Error('not asked for')
    },
    shutdown: never,
  })
  mkdirSync(join(world.folder, 'in'))
  path = join(world.folder, 'in', 'letter')
  writeFileSync(path, 'dear reader')
})
afterEach(() => world.dispose())

const submission = (submissionId = 'one') => ({ paths: [path], submissionId, capacity: 1, limit: null })

test('the same submission is one transfer, also when it comes twice at the same time', async () => {
  const lines = await Promise.all([service.enqueueSend(submission()), service.enqueueSend(submission())])
  expect(lines[0]).toMatchObject({ ok: true, value: { code: expect.stringMatching(/^\d+-/) } })
  expect(lines[1]).toEqual(lines[0])
  expect(node.records.ids()).toHaveLength(1)
  expect(await service.enqueueSend({ ...submission(), capacity: 2 })).toMatchObject({
    ok: false,
    failure: { code: 'ERR_SUBMISSION_CONFLICT' },
  })
})

test('a submission that comes again when its transfer is over is answered without a code', async () => {
  const first = await service.enqueueSend(submission())
  expect(first.ok).toBe(true)
  const id = first.ok ? first.value.transferId : ''
  await service.cancel(id)
  await new TestTransfer(node, id).ended('cancelled')
  expect(await service.enqueueSend(submission())).toEqual({
    ok: true,
    value: { type: 'transfer.enqueued', transferId: id, skipped: [] },
  })
})

test('while Redis is away everything is refused at once, and nothing is kept of what was refused', async () => {
  isLogReady = false
  const refused = { ok: false, failure: { code: 'ERR_REDIS_UNREACHABLE' } }
  expect(await service.enqueueSend(submission())).toEqual(refused)
  expect(await service.list()).toEqual(refused)
  expect(await service.get('traaaaaaaaaaaaaaaa')).toEqual(refused)
  expect(node.records.ids()).toEqual([])
})

test('a data directory without room refuses a submission as a whole', async () => {
  const { records } = node
  const put = records.put.bind(records)
  records.put = () => {
    throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC', syscall: 'write' })
  }
  expect(await service.enqueueSend(submission())).toMatchObject({ ok: false, failure: { code: 'ERR_DISK_FULL' } })
  records.put = put
  expect(readdirSync(join(node.dir, 'transfers'))).toEqual([])
})

test('a Redis that refuses is told of as such, and the submission can be made again', async () => {
  const refusal = new Error("OOM command not allowed when used memory > 'maxmemory'. script: 1f2e")
  refusal.name = 'ReplyError'
  node.events.refusal = refusal
  expect(await service.enqueueSend(submission())).toEqual({
    ok: false,
    failure: {
      code: 'ERR_REDIS_UNREACHABLE',
      detail: "OOM command not allowed when used memory > 'maxmemory'.",
    },
  })
  node.events.refusal = undefined
  expect((await service.enqueueSend(submission())).ok).toBe(true)
  expect(node.records.ids()).toHaveLength(1)
})

test('what the state does not allow is refused with that state', async () => {
  const enqueued = await service.enqueueSend(submission())
  const id = enqueued.ok ? enqueued.value.transferId : ''
  expect((await service.cancel(id)).ok).toBe(true)
  for (const refused of [await service.pause(id), await service.retry(id), await service.resume(id)]) {
    expect(refused).toEqual({ ok: false, failure: { code: 'ERR_TRANSFER_STATE', detail: 'it is cancelled' } })
  }
})

test('a failed transfer that is removed leaves nothing, and nothing of it runs', async () => {
  const enqueued = await service.enqueueSend(submission())
  const id = enqueued.ok ? enqueued.value.transferId : ''
  expect(await service.remove(id)).toMatchObject({ ok: false, failure: { code: 'ERR_TRANSFER_STATE' } })
  await node.log.execute(id, { type: 'fail', code: 'ERR_INTEGRITY', detail: null })
  expect((await service.remove(id)).ok).toBe(true)
  expect(world.rooms.room.status).toBe('closed')
  expect(node.runs.active).toEqual([])
  expect(node.records.ids()).toEqual([])
  expect(await service.list()).toEqual({ ok: true, value: [] })
})
