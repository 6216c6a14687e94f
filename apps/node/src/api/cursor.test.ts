import type { WatchLine } from '@godwit/protocol/api'
import { describe, expect, test } from 'vitest'
import { cursorOfLine, versionOfCursor } from './cursor.js'

const ID = `tr${'a'.repeat(16)}`

describe('a cursor', () => {
  test('is the id of the last event that is wholly delivered', () => {
    const progress: WatchLine = {
      type: 'transfer.progress',
      transferId: ID,
      state: 'transferring',
      bytesDone: 0,
      bytesTotal: 1,
      rate: 0,
      etaSeconds: null,
      receivers: [],
    }
    const failed = { type: 'transfer.failed', transferId: ID, code: 'ERR_DECLINED', message: 'no' } as const
    expect(cursorOfLine(ID, 7, progress)).toBe(`${ID}.6`)
    expect(cursorOfLine(ID, 1, progress)).toBe(`${ID}.0`)
    expect(cursorOfLine(ID, 7, failed)).toBe(`${ID}.7`)
  })

  test('is read back, and refused where it is not one of this transfer', () => {
    expect(versionOfCursor(ID, undefined)).toBe(0)
    expect(versionOfCursor(ID, `${ID}.0`)).toBe(0)
    expect(versionOfCursor(ID, `${ID}.12`)).toBe(12)
    for (const text of ['', ID, `${ID}.`, `${ID}.x`, `${ID}.1.2`, `${ID}.-1`, `tr${'b'.repeat(16)}.3`]) {
      expect(versionOfCursor(ID, text)).toBeUndefined()
    }
  })
})
