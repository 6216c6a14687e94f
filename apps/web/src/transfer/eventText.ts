/** Events of a transfer's log as sentences of its timeline. What an ordinary reader has no use for has none. */
import type { EventLine } from '@godwit/protocol/api'
import { displayName } from '@godwit/protocol/displayName'
import { ERRORS, isErrorCode } from '@godwit/protocol/errors'
import { formatBytes, formatRate } from '@godwit/protocol/rate'
import { formatWindow, scheduleSchema } from '@godwit/protocol/schedule'
import { plural, scheduleWords } from '../ui/words'

interface Told {
  readonly text: string
  readonly tone: 'plain' | 'good' | 'bad'
}

const plain = (text: string): Told => ({ text, tone: 'plain' })
const good = (text: string): Told => ({ text, tone: 'good' })
const bad = (text: string): Told => ({ text, tone: 'bad' })

const PATHS: Readonly<Record<string, string>> = {
  host: 'directly',
  observed: 'through a router, directly',
  peerReflexive: 'through a router, directly',
}

const PAUSES: Readonly<Record<string, string>> = {
  user: 'Paused here.',
  peer: 'The other side has paused.',
  diskFull: 'Paused: the disk is full.',
  disk: 'Paused: the disk has failed.',
  logAway: 'Paused: the log could not be written.',
  scheduled: 'Held until its start.',
  window: 'Held: it is outside its daily window.',
  queue: 'Queued: as many transfers run as may at once.',
  retry: 'Paused: it failed, and is tried again by itself.',
}

const RESENDS: Readonly<Record<string, string>> = {
  hashMismatch: 'damaged on the way',
  stagingDamaged: 'damaged on the disk',
  sessionBroken: 'under way when the connection broke',
}

/** What a `ScheduleChanged` has set. One of a newer node that cannot be read is told without its times. */
const scheduleText = (value: unknown): string => {
  const schedule = scheduleSchema.safeParse(value)
  if (!schedule.success) return 'When it may run was changed.'
  const { startAt, window, deadline } = schedule.data
  const words = scheduleWords({
    startAt: startAt === null ? null : new Date(startAt).toISOString(),
    window: window === null ? null : formatWindow(window),
    deadline: deadline === null ? null : new Date(deadline).toISOString(),
  })
  return words === '' ? 'It may run at any time from now on.' : `It may run ${words}.`
}

const sentenceOfCode = (code: unknown): string => (isErrorCode(code) ? ERRORS[code].message : 'It has not said why.')

/** @param name - the receiver's device, as it calls itself; empty while that is not known. */
export const eventText = ({ event, data }: EventLine, name: string): Told | undefined => {
  const who = name === '' ? 'A receiver' : displayName(name)
  const number = (key: string): number => (typeof data[key] === 'number' ? data[key] : 0)
  switch (event) {
    case 'TransferEnqueued':
      return plain(
        data['role'] === 'sender'
          ? `Enqueued: ${plural(number('fileCount'), 'file')}, ${formatBytes(number('totalBytes'))}.`
          : 'Enqueued with the code.',
      )
    case 'RoomEntered':
      return plain(data['receiver'] === null ? 'The room is open; the code is good.' : 'In the sender’s room.')
    case 'ReceiverJoined':
      return plain('A receiver has come.')
    case 'ReceiverQueued':
      return plain(`${who} waits in line, place ${number('place')}.`)
    case 'ReceiverAdmitted':
      return plain(`${who} was let in.`)
    case 'ReceiverLeft':
      return plain(`${who} has left.`)
    case 'RoomClosed':
      return plain('The room was closed.')
    case 'GuessFailed':
      return bad(`Somebody tried a wrong code; ${plural(number('guessesLeft'), 'try', 'tries')} left.`)
    case 'RoomLocked':
      return bad('The room was locked after too many wrong codes.')
    case 'PeerPaired':
      return plain(
        `Key agreed with ${displayName(typeof data['name'] === 'string' ? data['name'] : '') || 'the other side'}.`,
      )
    case 'SessionOpened':
      return plain(`Connected ${PATHS[String(data['path'])] ?? 'directly'}, ${number('mtu')} bytes a packet.`)
    case 'SessionLost':
      return bad(`The connection was lost. ${sentenceOfCode(data['reason'])}`)
    case 'Offered':
      return plain(`Offered: ${plural(number('fileCount'), 'file')}, ${formatBytes(number('totalBytes'))}.`)
    case 'Accepted':
      return plain('Accepted.')
    case 'Declined':
      return bad('Declined.')
    case 'ChunksRejected':
    case 'RetransmitRequested': {
      const ranges = Array.isArray(data['ranges']) ? data['ranges'] : []
      const chunks = ranges.reduce<number>((sum, range) => sum + (Array.isArray(range) ? Number(range[1]) : 0), 0)
      return plain(`${plural(chunks, 'chunk')} to be sent again: ${RESENDS[String(data['reason'])] ?? 'missing'}.`)
    }
    case 'Paused':
      return plain(PAUSES[String(data['reason'])] ?? 'Paused.')
    case 'Resumed':
      return plain('Resumed.')
    case 'LimitChanged':
      return plain(data['limit'] === null ? 'The limit was lifted.' : `Limited to ${formatRate(number('limit'))}.`)
    case 'PriorityChanged':
      return plain(`Priority ${number('priority')} from now on.`)
    case 'ScheduleChanged':
      return plain(scheduleText(data['schedule']))
    case 'FilesCompleted':
      return good(
        `${plural(number('count'), 'file')} verified and under ${number('count') === 1 ? 'its final name' : 'their final names'}.`,
      )
    case 'FilesFailed':
      return bad(`Files that changed while they were sent are left out. ${sentenceOfCode(data['code'])}`)
    case 'ReceiverCompleted':
      return good(`${name === '' ? 'The receiver' : displayName(name)} has everything.`)
    case 'TransferCompleted':
      return good('Complete.')
    case 'TransferFailed':
      return bad(`Failed. ${sentenceOfCode(data['code'])}`)
    case 'TransferRetried':
      return plain('Taken up again.')
    case 'TransferCancelled':
      return bad('Cancelled.')
    case 'ChunksAcked':
    case 'SessionChanged':
      return undefined
    default:
      // An event of a newer node: better its own name than nothing.
      return plain(event.replace(/(?<=[a-z])(?=[A-Z])/g, ' ').toLowerCase())
  }
}
