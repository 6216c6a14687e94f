/** The fields of a transfer's plan: its priority among others, and when it may run. */
import { PRIORITY_DEFAULT, PRIORITY_MAX, PRIORITY_MIN } from '@godwit/protocol/schedule'
import { useId } from 'react'
import type { ScheduleTexts } from './scheduleFields'

const PRIORITIES = Array.from({ length: PRIORITY_MAX - PRIORITY_MIN + 1 }, (_, index) => PRIORITY_MAX - index)

const PRIORITY_NOTES: Readonly<Record<number, string>> = {
  [PRIORITY_MAX]: ', first of all',
  [PRIORITY_DEFAULT]: ', as others',
  [PRIORITY_MIN]: ', last of all',
}

export const PriorityField = ({
  value,
  onChange,
}: {
  readonly value: number
  readonly onChange: (priority: number) => void
}) => {
  const id = useId()
  return (
    <div className="field">
      <label htmlFor={id}>Priority</label>
      <select
        id={id}
        value={value}
        aria-describedby={`${id}-help`}
        onChange={(event) => onChange(Number(event.target.value))}
      >
        {PRIORITIES.map((priority) => (
          <option key={priority} value={priority}>
            {priority}
            {PRIORITY_NOTES[priority] ?? ''}
          </option>
        ))}
      </select>
      <p id={`${id}-help`} className="help">
        A higher one leaves the queue first and gets more of the node’s limit.
      </p>
    </div>
  )
}

const FIELDS = [
  { field: 'startAt', label: 'Not before', type: 'datetime-local', help: 'Empty for at once.' },
  {
    field: 'window',
    label: 'Daily window',
    type: 'text',
    help: 'Like 22:00-06:00, by the clock of the node’s computer; empty for all day.',
  },
  {
    field: 'deadline',
    label: 'Until',
    type: 'datetime-local',
    help: 'What fails is tried again until then, and it ends there.',
  },
] as const

export const ScheduleFields = ({
  texts,
  problem,
  onChange,
}: {
  readonly texts: ScheduleTexts
  readonly problem: { readonly field: string; readonly text: string } | undefined
  readonly onChange: (texts: ScheduleTexts) => void
}) => {
  const id = useId()
  const { startAt, window, deadline } = texts
  return FIELDS.map(({ field, label, type, help }) => {
    const wrong = problem?.field === field ? problem.text : undefined
    return (
      <div className="field" key={field}>
        <label htmlFor={`${id}-${field}`}>{label}</label>
        <input
          id={`${id}-${field}`}
          type={type}
          value={texts[field]}
          placeholder={field === 'window' ? 'all day' : undefined}
          autoComplete="off"
          aria-invalid={wrong !== undefined}
          aria-describedby={`${id}-${field}-help`}
          onChange={(event) => onChange({ startAt, window, deadline, [field]: event.target.value })}
        />
        <p id={`${id}-${field}-help`} className={wrong === undefined ? 'help' : 'help problem'}>
          {wrong ?? help}
        </p>
      </div>
    )
  })
}
