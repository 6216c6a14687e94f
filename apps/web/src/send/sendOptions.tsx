/** The options of a send: what they are, how they are written, what is wrong with them. */

import { ROOM_MAX_CAPACITY } from '@godwit/protocol/limits'
import { parseRate } from '@godwit/protocol/rate'
import { PRIORITY_DEFAULT } from '@godwit/protocol/schedule'
import { useId } from 'react'
import { PriorityField, ScheduleFields } from '../ui/planFields'
import { NO_SCHEDULE, type ScheduleTexts, scheduleIn } from '../ui/scheduleFields'
import type { SendOptions } from './useSending'

/** As they stand in the fields. */
export interface OptionTexts extends ScheduleTexts {
  readonly receivers: string
  readonly limit: string
  readonly rendezvous: string
  /** One of the profiles; empty for the ordinary way of sharing a path. */
  readonly profile: string
  readonly priority: number
}

export const NO_OPTIONS: OptionTexts = {
  receivers: '1',
  limit: '',
  rendezvous: '',
  profile: '',
  priority: PRIORITY_DEFAULT,
  ...NO_SCHEDULE,
}

type Read =
  | { readonly ok: true; readonly value: SendOptions }
  | { readonly ok: false; readonly problem: { readonly field: keyof OptionTexts; readonly text: string } }

const problem = (field: keyof OptionTexts, text: string): Read => ({ ok: false, problem: { field, text } })

export const optionsOf = (texts: OptionTexts, nowMs: number): Read => {
  const { receivers, limit, rendezvous, profile, priority } = texts
  const count = Number(receivers)
  if (!/^\d{1,2}$/.test(receivers.trim()) || count < 1 || count > ROOM_MAX_CAPACITY) {
    return problem('receivers', `A number from 1 to ${ROOM_MAX_CAPACITY}.`)
  }
  const rate = parseRate(limit.trim() === '' ? 'unlimited' : limit)
  if (!rate.ok) return problem('limit', 'Written like 20MB/s or 500mbit; the lowest is 1024 bytes a second.')
  const address = rendezvous.trim()
  const url = address === '' || /^https?:\/\//i.test(address) ? address : `http://${address}`
  if (url !== '' && !URL.canParse(url)) return problem('rendezvous', 'Written like http://host:4907.')
  const schedule = scheduleIn(texts, nowMs)
  if (!schedule.ok) return problem(schedule.field, schedule.text)
  return {
    ok: true,
    value: {
      capacity: count,
      limit: rate.value,
      priority,
      schedule: schedule.value,
      ...(url === '' ? {} : { rendezvous: new URL(url).origin }),
      ...(profile === 'lossy' || profile === 'background' ? { profile } : {}),
    },
  }
}

const FIELDS = [
  {
    field: 'receivers',
    label: 'Receivers',
    placeholder: '1',
    help: 'How many are to have it. They are served at the same time.',
    inputMode: 'numeric',
  },
  {
    field: 'limit',
    label: 'Speed limit',
    placeholder: 'unlimited',
    help: 'Like 20MB/s or 500mbit. Can be changed while it runs.',
    inputMode: 'text',
  },
  {
    field: 'rendezvous',
    label: 'Meet at',
    placeholder: 'this computer',
    help: 'The address of a rendezvous that both sides reach. Empty is right for one network.',
    inputMode: 'url',
  },
] as const

export const SendOptionFields = ({
  texts,
  problem,
  onChange,
}: {
  readonly texts: OptionTexts
  readonly problem: { readonly field: keyof OptionTexts; readonly text: string } | undefined
  readonly onChange: (texts: OptionTexts) => void
}) => {
  const id = useId()
  return (
    <div className="options">
      {FIELDS.map(({ field, label, placeholder, help, inputMode }) => {
        const wrong = problem?.field === field ? problem.text : undefined
        return (
          <div className="field" key={field}>
            <label htmlFor={`${id}-${field}`}>{label}</label>
            <input
              id={`${id}-${field}`}
              value={texts[field]}
              placeholder={placeholder}
              inputMode={inputMode}
              autoComplete="off"
              spellCheck={false}
              aria-invalid={wrong !== undefined}
              aria-describedby={`${id}-${field}-help`}
              onChange={(event) => onChange({ ...texts, [field]: event.target.value })}
            />
            <p id={`${id}-${field}-help`} className={wrong === undefined ? 'help' : 'help problem'}>
              {wrong ?? help}
            </p>
          </div>
        )
      })}
      <div className="field">
        <label htmlFor={`${id}-profile`}>On the network</label>
        <select
          id={`${id}-profile`}
          value={texts.profile}
          aria-describedby={`${id}-profile-help`}
          onChange={(event) => onChange({ ...texts, profile: event.target.value })}
        >
          <option value="">As others do</option>
          <option value="background">Give way to others</option>
          <option value="lossy">Through a path that loses</option>
        </select>
        <p id={`${id}-profile-help`} className="help">
          How it shares the path with what else is on it.
        </p>
      </div>
      <PriorityField value={texts.priority} onChange={(priority) => onChange({ ...texts, priority })} />
      <ScheduleFields texts={texts} problem={problem} onChange={(schedule) => onChange({ ...texts, ...schedule })} />
    </div>
  )
}
