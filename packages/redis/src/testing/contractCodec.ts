/** The codec of the contract's events. */
import type { ContractEvent } from '@godwit/engine/testing/eventStoreContract'
import type { EventCodec } from '../eventCodec.js'

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

export const contractCodec: EventCodec<ContractEvent> = {
  schemaVersion: 1,
  parser: {
    safeParse: (value) => {
      if (!isRecord(value) || !isRecord(value['data'])) return { success: false }
      const { n, text } = value['data']
      if (value['type'] === 'Counted' && typeof n === 'number') {
        return { success: true, data: { type: 'Counted', data: { n } } }
      }
      if (value['type'] === 'Noted' && typeof text === 'string') {
        return { success: true, data: { type: 'Noted', data: { text } } }
      }
      return { success: false }
    },
  },
}
