import { describe, expect, test } from 'vitest'
import { judgeFacts, readFacts } from './connection.js'

describe('which servers will do', () => {
  const judge = (version: string, policy: string) =>
    judgeFacts(readFacts(`# Server\r\nredis_version:${version}\r\n# Memory\r\nmaxmemory_policy:${policy}\r\n`)).ok

  test('version 6.2 and later with noeviction', () => {
    for (const version of ['6.2.0', '7.0.15', '7.2.4', '8.0.1', '10.0.0'])
      expect(judge(version, 'noeviction')).toBe(true)
  })

  test('nothing older, nothing that evicts, nothing unknown', () => {
    for (const version of ['6.0.16', '5.0.14', '2.8']) expect(judge(version, 'noeviction')).toBe(false)
    expect(judge('7.0.15', 'allkeys-lru')).toBe(false)
    expect(judgeFacts(readFacts('')).ok).toBe(false)
  })
})
