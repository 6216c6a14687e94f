/** Looks into a node's Redis: which queues have completed a job. */
import { Redis } from 'ioredis'
import type { TestNode } from './world.js'

export const QUEUES = ['transfers', 'room-events', 'chunk-acks', 'retransmits'] as const

/** The queues of this node whose BullMQ events tell of a completed job. */
export const queuesThatWorked = async (node: TestNode): Promise<readonly string[]> => {
  const [socket] = node.redisSockets()
  if (socket === undefined) throw new Error(`no Redis socket below ${node.dataDir}`)
  const redis = new Redis({ path: socket })
  try {
    const worked: string[] = []
    for (const queue of QUEUES) {
      const entries = await redis.xrange(`{godwit}:${queue}:events`, '-', '+')
      if (entries.some(([, fields]) => fields[fields.indexOf('event') + 1] === 'completed')) worked.push(queue)
    }
    return worked
  } finally {
    redis.disconnect()
  }
}
