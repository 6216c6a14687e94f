/** Which queue's worker is woken by an event. An event without one changes nothing that a worker would do. */
import { unreachable } from '@godwit/protocol/assert'
import type { TransferEvent } from '@godwit/protocol/transferEvents'
import type { QueueName } from '../../ports/outbox.js'

export const routeOf = (event: TransferEvent): QueueName | undefined => {
  switch (event.type) {
    case 'TransferEnqueued':
    case 'Accepted':
    case 'Resumed':
    case 'Paused':
    case 'TransferCancelled':
    case 'TransferRetried':
    case 'SessionLost':
    case 'ScheduleChanged':
      return 'transfers'
    case 'RoomEntered':
    case 'ReceiverJoined':
    case 'ReceiverQueued':
    case 'ReceiverAdmitted':
    case 'ReceiverLeft':
    case 'RoomClosed':
    case 'GuessFailed':
    case 'RoomLocked':
    case 'PeerPaired':
    case 'SessionOpened':
    case 'SessionChanged':
    case 'Offered':
    case 'Declined':
    case 'LimitChanged':
    case 'PriorityChanged':
      return 'room-events'
    case 'ChunksAcked':
    case 'FilesCompleted':
    case 'FilesFailed':
    case 'ReceiverCompleted':
    case 'TransferCompleted':
    case 'TransferFailed':
      return 'chunk-acks'
    case 'ChunksRejected':
    case 'RetransmitRequested':
      return 'retransmits'
    default:
      return unreachable(event)
  }
}
