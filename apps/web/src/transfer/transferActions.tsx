/** What can be done to a transfer in its present state: pause, resume, limit, plan, retry, cancel, remove. */
import type { TransferView } from '@godwit/protocol/api'
import { formatRate, parseRate } from '@godwit/protocol/rate'
import { useMutation } from '@tanstack/react-query'
import { type FormEvent, useId, useState } from 'react'
import { api, queryClient } from '../api/api'
import { goTo } from '../router'
import { Dialog } from '../ui/dialog'
import { ErrorNote } from '../ui/parts'
import { isOver } from '../ui/words'
import { PlanDialog } from './planDialog'

const useCommand = (transferId: string) => {
  const onSuccess = () => queryClient.invalidateQueries({ queryKey: api.transfers.get.queryKey({ transferId }) })
  const pause = useMutation(api.transfers.pause.mutationOptions({ onSuccess }))
  const resume = useMutation(api.transfers.resume.mutationOptions({ onSuccess }))
  const cancel = useMutation(api.transfers.cancel.mutationOptions({ onSuccess }))
  const retry = useMutation(api.transfers.retry.mutationOptions({ onSuccess }))
  const remove = useMutation(api.transfers.remove.mutationOptions({ onSuccess: () => goTo('/') }))
  const setLimit = useMutation(api.transfers.setLimit.mutationOptions({ onSuccess }))
  const setPriority = useMutation(api.transfers.setPriority.mutationOptions({ onSuccess }))
  const setSchedule = useMutation(api.transfers.setSchedule.mutationOptions({ onSuccess }))
  return { pause, resume, cancel, retry, remove, setLimit, setPriority, setSchedule }
}

const LimitDialog = ({
  view,
  onClose,
  onLimit,
}: {
  readonly view: TransferView
  readonly onClose: () => void
  readonly onLimit: (limit: number | null) => void
}) => {
  const [text, setText] = useState(view.limit === null ? '' : formatRate(view.limit))
  const [problem, setProblem] = useState('')
  const id = useId()
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    const rate = parseRate(text.trim() === '' ? 'unlimited' : text)
    if (!rate.ok) setProblem('A rate is written like 20MB/s, 500mbit or unlimited; the lowest is 1024 bytes a second.')
    else {
      onLimit(rate.value)
      onClose()
    }
  }
  return (
    <Dialog title="Limit the speed" onClose={onClose}>
      <form onSubmit={submit}>
        <div className="field">
          <label htmlFor={id}>At most</label>
          <input
            id={id}
            value={text}
            placeholder="unlimited"
            autoComplete="off"
            aria-describedby={`${id}-help`}
            aria-invalid={problem !== ''}
            onChange={(event) => setText(event.target.value)}
          />
          <p id={`${id}-help`} className={problem === '' ? 'help' : 'help problem'}>
            {problem === ''
              ? 'Like 20MB/s or 500mbit; empty for no limit. It holds at once, also while it runs.'
              : problem}
          </p>
        </div>
        <div className="actions">
          <button type="submit" className="button primary">
            Set the limit
          </button>
          <button type="button" className="button" onClick={onClose}>
            Leave it
          </button>
        </div>
      </form>
    </Dialog>
  )
}

export const TransferActions = ({ view }: { readonly view: TransferView }) => {
  const { transferId, state } = view
  const commands = useCommand(transferId)
  const { pause, resume, cancel, retry, remove, setLimit, setPriority, setSchedule } = commands
  const [open, setOpen] = useState<'limit' | 'plan' | 'cancel'>()
  const over = isOver(state)
  const error = Object.values(commands).find((command) => command.error !== null)?.error
  return (
    <>
      <div className="actions">
        {!over && state !== 'paused' && (
          <button
            type="button"
            className="button"
            disabled={pause.isPending}
            onClick={() => pause.mutate({ transferId })}
          >
            Pause
          </button>
        )}
        {state === 'paused' && (
          <button
            type="button"
            className="button primary"
            disabled={resume.isPending}
            onClick={() => resume.mutate({ transferId })}
          >
            Resume
          </button>
        )}
        {state === 'failed' && (
          <button
            type="button"
            className="button primary"
            disabled={retry.isPending}
            onClick={() => retry.mutate({ transferId })}
          >
            Try again
          </button>
        )}
        {!over && view.role === 'sender' && (
          <button type="button" className="button" onClick={() => setOpen('limit')}>
            {view.limit === null ? 'Limit' : `Limit: ${formatRate(view.limit)}`}
          </button>
        )}
        {!over && view.role === 'sender' && (
          <button type="button" className="button" onClick={() => setOpen('plan')}>
            Plan
          </button>
        )}
        {!over && (
          <button type="button" className="button" onClick={() => setOpen('cancel')}>
            Cancel
          </button>
        )}
        {over && (
          <button
            type="button"
            className="button"
            disabled={remove.isPending}
            onClick={() => remove.mutate({ transferId })}
          >
            Remove from the list
          </button>
        )}
      </div>
      {error !== undefined && <ErrorNote error={error} />}
      {open === 'limit' && (
        <LimitDialog
          view={view}
          onClose={() => setOpen(undefined)}
          onLimit={(limit) => setLimit.mutate({ transferId, limit })}
        />
      )}
      {open === 'plan' && (
        <PlanDialog
          view={view}
          onClose={() => setOpen(undefined)}
          onPriority={(priority) => setPriority.mutate({ transferId, priority })}
          onSchedule={(schedule) => setSchedule.mutate({ transferId, schedule })}
        />
      )}
      {open === 'cancel' && (
        <Dialog title="Cancel this transfer?" onClose={() => setOpen(undefined)}>
          <p>
            It ends for both sides, for good.{' '}
            {view.role === 'receiver' ? 'What has arrived so far is deleted.' : 'Your files stay as they are.'}
          </p>
          <div className="actions">
            <button
              type="button"
              className="button danger"
              onClick={() => {
                cancel.mutate({ transferId })
                setOpen(undefined)
              }}
            >
              Cancel the transfer
            </button>
            <button type="button" className="button" onClick={() => setOpen(undefined)}>
              Let it go on
            </button>
          </div>
        </Dialog>
      )}
    </>
  )
}
