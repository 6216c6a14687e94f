/** The transfer's decider: `decide`, `evolve` and the state before the first event. */
import type { TransferEvent } from '@godwit/protocol/transferEvents'
import type { Decider } from '../decider.js'
import type { TransferCommand } from './commands.js'
import { decide } from './decide.js'
import { evolve } from './evolve.js'
import { initialTransfer, type Transfer } from './state.js'

export const transferDecider: Decider<Transfer, TransferCommand, TransferEvent> = {
  initialState: initialTransfer,
  decide,
  evolve,
}
