/** The words of the page for what the API says by its codes. */
import type { TransferState, TransferView } from '@godwit/protocol/api'
import { formatDuration } from '@godwit/protocol/duration'
import { PRIORITY_DEFAULT } from '@godwit/protocol/schedule'

export const STATE_WORDS: Readonly<Record<TransferState, string>> = {
  scheduled: 'Scheduled',
  queued: 'Queued',
  waitingForPeer: 'Waiting',
  waitingInLine: 'In line',
  awaitingAcceptance: 'To be accepted',
  connecting: 'Connecting',
  transferring: 'On its way',
  verifying: 'Verifying',
  paused: 'Paused',
  completed: 'Complete',
  failed: 'Failed',
  cancelled: 'Cancelled',
}

export const isOver = (state: TransferState): boolean =>
  state === 'completed' || state === 'failed' || state === 'cancelled'

type Told = Pick<
  TransferView,
  'state' | 'role' | 'reason' | 'receivers' | 'seconds' | 'receiversWanted' | 'output' | 'schedule'
>

/** Why it is paused, in the page's words where it has its own. */
const pauseOf = ({ reason, schedule }: Told): string => {
  if (reason === null) return 'Paused.'
  if (reason.code === 'user') return 'Paused by you.'
  if (reason.code === 'window' && schedule.window !== null)
    return `It runs only from ${windowWords(schedule.window)}, and goes on by itself then.`
  return reason.message
}

/** What is going on, and what the user can do about it, in a sentence. */
export const situationOf = (view: Told): string => {
  const isSender = view.role === 'sender'
  switch (view.state) {
    case 'scheduled':
      return view.schedule.startAt === null
        ? 'It starts at its time.'
        : `It starts by itself: ${momentOf(view.schedule.startAt)}.`
    case 'queued':
      return view.reason?.code === 'queue'
        ? 'As many transfers run as may at once. It starts by itself when its turn comes.'
        : 'It is about to start.'
    case 'waitingForPeer':
      return isSender ? 'Nobody has come yet. Give the code to the receiver.' : 'Looking for the sender.'
    case 'waitingInLine': {
      const place = view.receivers[0]?.place ?? null
      return place === null
        ? 'The sender serves others first. It goes on by itself.'
        : `Place ${place} in the line. It goes on by itself when it is your turn.`
    }
    case 'awaitingAcceptance':
      return isSender
        ? 'The receiver is looking at what you offer.'
        : 'Look at what is offered, then accept or decline.'
    case 'connecting':
      return 'Looking for a direct way to the other side.'
    case 'transferring':
      return isSender ? 'Sending.' : 'Receiving.'
    case 'verifying':
      return isSender
        ? 'The receiver reads everything back and compares it.'
        : 'Reading everything back and comparing it.'
    case 'paused':
      return pauseOf(view)
    case 'completed':
      return `${isSender ? 'Everything was received and verified' : 'Everything is here and verified'}${
        view.seconds === null ? '.' : `, in ${formatDuration(view.seconds)}.`
      }`
    case 'failed':
      return view.reason?.message ?? 'It failed.'
    case 'cancelled':
      return 'It was cancelled.'
  }
}

export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${count.toLocaleString('en')} ${count === 1 ? one : many}`

/** What is in a transfer, by its top names. */
export const titleOfTransfer = (view: Pick<TransferView, 'names' | 'fileCount' | 'role'>): string => {
  const [first, ...others] = view.names
  if (first === undefined) return view.role === 'receiver' ? 'Not known yet' : 'Nothing'
  return others.length === 0 ? first : `${first} and ${others.length} more`
}

const TIME = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' })
const DAY = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' })
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' })

/** A moment: the time alone when it is today. */
export const momentOf = (iso: string): string => {
  const date = new Date(iso)
  return date.toDateString() === new Date().toDateString() ? TIME.format(date) : DAY.format(date)
}

export const clockOf = (iso: string): string => CLOCK.format(new Date(iso))

/** `22:00-06:00` as it is read aloud. */
export const windowWords = (window: string): string => window.replace('-', ' to ')

/** When it may run, in one line; empty where nothing is set. */
export const scheduleWords = ({ startAt, window, deadline }: TransferView['schedule']): string =>
  [
    startAt === null ? '' : `from ${momentOf(startAt)}`,
    window === null ? '' : `daily ${windowWords(window)}`,
    deadline === null ? '' : `until ${momentOf(deadline)}`,
  ]
    .filter((part) => part !== '')
    .join(', ')

/** Priority and schedule where they are not the ordinary ones; empty else. */
export const planWords = ({ priority, schedule }: Pick<TransferView, 'priority' | 'schedule'>): string => {
  const when = scheduleWords(schedule)
  return [priority === PRIORITY_DEFAULT ? '' : `Priority ${priority}`, when === '' ? '' : `Runs ${when}`]
    .filter((part) => part !== '')
    .join(' · ')
}
