/** A transfer that runs on this node: what jobs, the API and the data plane's reports do to it. */

import type { RetransmitReason } from '@godwit/protocol/controlMessages'
import type { RangePair } from '@godwit/protocol/rangeSet'

export interface Run {
  readonly transferId: string
  /** Looks at what the log says and does what is due: called for every wake-up, and harmless when nothing is. */
  sync(): Promise<void>
  /** A RetransmitRequested that was recorded: a receiver asks its sender, a sender sends again. */
  retransmit(receiver: string, ranges: readonly RangePair[], reason: RetransmitReason): Promise<void>
  /** Whether nothing is left to do for this transfer. */
  readonly isOver: boolean
  /** Whether this side waits for nobody: what is left to do can as well be done when a node runs again. */
  readonly isIdle: boolean
  /** The transfer is about to be forgotten: tells who waits for it in its room. */
  abandon(): Promise<void>
  /** Ends sessions and links; the transfer goes on when it is run again. */
  stop(): Promise<void>
}
