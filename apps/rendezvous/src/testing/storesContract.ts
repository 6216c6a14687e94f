/** What every directory and every mailbox does, in memory and on Redis. */
import { MAILBOX_MAX_MESSAGES } from '@godwit/protocol/limits'
import { beforeEach, describe, expect, test } from 'vitest'
import { FIRST_MESSAGE_ID, type Mailbox } from '../stores/mailbox.js'
import type { RoomDirectory } from '../stores/roomDirectory.js'

const HOUR_MS = 3_600_000

export const describeStoresContract = (
  name: string,
  open: () => { readonly directory: RoomDirectory; readonly mailbox: Mailbox },
): void => {
  describe(`the stores on ${name}`, () => {
    let directory: RoomDirectory
    let mailbox: Mailbox
    beforeEach(() => {
      const stores = open()
      directory = stores.directory
      mailbox = stores.mailbox
    })

    test('a nameplate leads to who claimed it first', async () => {
      expect(await directory.claim('1', 'a', HOUR_MS)).toBe('a')
      expect(await directory.claim('1', 'a', HOUR_MS)).toBe('a')
      expect(await directory.claim('1', 'b', HOUR_MS)).toBe('a')
      expect(await directory.lookUp('1')).toBe('a')
      expect(await directory.lookUp('2')).toBeUndefined()
    })

    test('a nameplate is replaced and freed only by who holds it', async () => {
      await directory.claim('1', 'a', HOUR_MS)
      expect(await directory.replace('1', 'b', 'c', HOUR_MS)).toBe(false)
      expect(await directory.replace('1', 'a', 'c', HOUR_MS)).toBe(true)
      await directory.release('1', 'a')
      expect(await directory.lookUp('1')).toBe('c')
      await directory.release('1', 'c')
      expect(await directory.lookUp('1')).toBeUndefined()
    })

    test('a claim ends by itself', async () => {
      await directory.claim('1', 'a', 1)
      await expect.poll(() => directory.lookUp('1')).toBeUndefined()
    })

    test('rooms become due in their order', async () => {
      for (const [roomId, dueAt] of [
        ['a', 30],
        ['b', 10],
        ['c', 20],
        ['d', 40],
      ] as const) {
        await directory.schedule(roomId, dueAt)
      }
      await directory.schedule('b', 25)
      expect(await directory.due(30, 10)).toEqual(['c', 'b', 'a'])
      expect(await directory.due(30, 1)).toEqual(['c'])
      expect(await directory.count()).toBe(4)
      await directory.unschedule('c')
      expect(await directory.due(30, 10)).toEqual(['b', 'a'])
    })

    test('messages come in their order, from any of them on, for one room', async () => {
      const expiresAt = Date.now() + HOUR_MS
      const message = (body: string) => ({ from: 'owner', to: 'x', body, afterVersion: 3 })
      for (const body of ['1', '2', '3']) await mailbox.append('room', message(body), expiresAt)
      await mailbox.append('other', message('4'), expiresAt)
      const all = await mailbox.read('room', FIRST_MESSAGE_ID)
      expect(all.map(({ id: _id, ...rest }) => rest)).toEqual(['1', '2', '3'].map(message))
      expect(await mailbox.read('room', all[1]?.id ?? '')).toEqual(all.slice(2))
      await mailbox.delete('room')
      expect(await mailbox.read('room', FIRST_MESSAGE_ID)).toEqual([])
    })

    test('a mailbox is trimmed from its oldest message on', async () => {
      const expiresAt = Date.now() + HOUR_MS
      for (let index = 0; index < MAILBOX_MAX_MESSAGES + 2; index += 1) {
        await mailbox.append('room', { from: 'a', to: 'b', body: `${index}`, afterVersion: 1 }, expiresAt)
      }
      const kept = await mailbox.read('room', FIRST_MESSAGE_ID)
      expect([kept.length, kept[0]?.body]).toEqual([MAILBOX_MAX_MESSAGES, '2'])
    })
  })
}
