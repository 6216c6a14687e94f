import { isQueueName } from '@godwit/engine/ports/outbox'
import type { ContractEvent } from '@godwit/engine/testing/eventStoreContract'
import { contractRouteOf, describeEventStoreContract } from '@godwit/engine/testing/eventStoreContract'
import { describeLeasesContract } from '@godwit/engine/testing/leasesContract'
import type { ContractState } from '@godwit/engine/testing/projectionStoreContract'
import { describeProjectionStoreContract } from '@godwit/engine/testing/projectionStoreContract'
import { afterAll, beforeAll } from 'vitest'
import { logKeys } from './keys.js'
import { openLog } from './log.js'
import { contractCodec } from './testing/contractCodec.js'
import type { TestRedis } from './testing/withRedis.js'
import { freshPrefix, startTestRedis } from './testing/withRedis.js'

let server: TestRedis

beforeAll(async () => {
  server = await startTestRedis()
})
afterAll(async () => {
  await server.stop()
})

const open = () => {
  const prefix = freshPrefix()
  const keys = logKeys(prefix)
  const log = openLog<ContractEvent, ContractState>({
    target: server.redis.target,
    prefix,
    codec: contractCodec,
    routeOf: contractRouteOf,
    projection: 'contract.1',
  })
  return { keys, log }
}

describeEventStoreContract('Redis', () => {
  const { keys, log } = open()
  const outbox = async () => {
    const entries = await log.redis.xrange(keys.outbox, '-', '+')
    return entries.map(([, fields]) => {
      const [, queue = '', , streamId = '', , version = ''] = fields
      if (!isQueueName(queue)) throw new Error(`no queue: ${queue}`)
      return { queue, streamId, eventId: `${streamId}.${version}` }
    })
  }
  return Promise.resolve({ store: log.events, leases: log.leases, outbox, close: () => log.close() })
})

describeProjectionStoreContract('Redis', () => {
  const { log } = open()
  return Promise.resolve({ store: log.projections, close: () => log.close() })
})

describeLeasesContract('Redis', () => {
  const { keys, log } = open()
  const advance = async (name: string, ms: number): Promise<void> => {
    await log.redis.hincrby(keys.lease(name), 'until', -ms)
  }
  return Promise.resolve({ leases: log.leases, advance, close: () => log.close() })
})
