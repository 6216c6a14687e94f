/** Which events of a room are mirrored into a transfer's stream, and in which form. */

import type { MirroredEvent } from '@godwit/engine/domain/transfer/commands'
import type { RoomFeedItem } from '@godwit/protocol/rendezvousApi'

export const mirroredEventOf = (item: Extract<RoomFeedItem, { kind: 'event' }>): MirroredEvent | undefined => {
  const { event, roomVersion } = item
  switch (event.type) {
    case 'ReceiverJoined':
      return { type: 'ReceiverJoined', data: { receiver: event.data.receiver, roomVersion } }
    case 'ReceiverQueued':
      return { type: 'ReceiverQueued', data: { ...event.data, roomVersion } }
    case 'ReceiverAdmitted':
      return { type: 'ReceiverAdmitted', data: { ...event.data, roomVersion } }
    case 'ReceiverLeft':
      return { type: 'ReceiverLeft', data: { ...event.data, roomVersion } }
    case 'RoomClosed':
      return { type: 'RoomClosed', data: { ...event.data, roomVersion } }
    case 'RoomOpened':
    case 'GuessFailed':
    case 'RoomLocked':
      return undefined
  }
}
