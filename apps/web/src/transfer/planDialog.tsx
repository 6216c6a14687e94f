/** Changes the priority of a transfer and when it may run; only what was changed is sent. */
import type { TransferView } from '@godwit/protocol/api'
import type { Schedule } from '@godwit/protocol/schedule'
import { type FormEvent, useState } from 'react'
import { Dialog } from '../ui/dialog'
import { PriorityField, ScheduleFields } from '../ui/planFields'
import { scheduleIn, textsOfSchedule } from '../ui/scheduleFields'

export const PlanDialog = ({
  view,
  onClose,
  onPriority,
  onSchedule,
}: {
  readonly view: TransferView
  readonly onClose: () => void
  readonly onPriority: (priority: number) => void
  readonly onSchedule: (schedule: Partial<Schedule>) => void
}) => {
  const [priority, setPriority] = useState(view.priority)
  const [before] = useState(() => textsOfSchedule(view.schedule))
  const [texts, setTexts] = useState(before)
  const [isTried, setTried] = useState(false)
  const schedule = scheduleIn(texts, Date.now())
  const isChanged =
    texts.startAt !== before.startAt || texts.window !== before.window || texts.deadline !== before.deadline
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    setTried(true)
    if (isChanged && !schedule.ok) return
    if (priority !== view.priority) onPriority(priority)
    if (isChanged && schedule.ok) {
      const { startAt, window, deadline } = schedule.value
      onSchedule({
        ...(texts.startAt === before.startAt ? {} : { startAt }),
        ...(texts.window === before.window ? {} : { window }),
        ...(texts.deadline === before.deadline ? {} : { deadline }),
      })
    }
    onClose()
  }
  return (
    <Dialog title="Plan this transfer" onClose={onClose}>
      <form onSubmit={submit}>
        <PriorityField value={priority} onChange={setPriority} />
        <ScheduleFields texts={texts} problem={isTried && !schedule.ok ? schedule : undefined} onChange={setTexts} />
        <div className="actions">
          <button type="submit" className="button primary">
            Set the plan
          </button>
          <button type="button" className="button" onClick={onClose}>
            Leave it
          </button>
        </div>
      </form>
    </Dialog>
  )
}
