/** Receiving: the code, the folder, then the transfer's page shows the offer. */
import { useMutation, useQuery } from '@tanstack/react-query'
import { type FormEvent, useId, useRef, useState } from 'react'
import { api } from '../api/api'
import { goTo, pathOfTransfer } from '../router'
import { FolderField } from '../ui/folderField'
import { ErrorNote } from '../ui/parts'
import { newSubmissionId } from '../ui/submission'

export const ReceivePage = () => {
  const [code, setCode] = useState('')
  const [chosen, setChosen] = useState<string>()
  const suggestion = useQuery({ ...api.page.folder.queryOptions({}), retry: 3 })
  const output = chosen ?? suggestion.data?.path ?? ''
  const submission = useRef(newSubmissionId())
  const receive = useMutation(
    api.transfers.enqueueReceive.mutationOptions({ onSuccess: ({ transferId }) => goTo(pathOfTransfer(transferId)) }),
  )
  const id = useId()
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    if (code.trim() === '' || output === '') return
    // Another question is another submission; the same one again is not.
    if (receive.isError) submission.current = newSubmissionId()
    receive.mutate({ code: code.trim(), output, submissionId: submission.current })
  }
  return (
    <form className="narrow" onSubmit={submit}>
      <h1>Receive</h1>
      <p className="lead">
        The sender has a code for you. Nothing is written before you have seen what is offered and accepted it.
      </p>
      <div className="field">
        <label htmlFor={id}>Code</label>
        <input
          id={id}
          className="code-input"
          value={code}
          placeholder="48210-parsnip-doorbell-yodel@192.168.1.20:4907"
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          maxLength={400}
          aria-describedby={`${id}-help`}
          onChange={(event) => setCode(event.target.value)}
        />
        <p id={`${id}-help`} className="help">
          The whole of it, with what stands behind the @.
        </p>
      </div>
      <FolderField label="Save into" value={output} onChange={setChosen} mustBeWritable />
      <div className="actions">
        <button
          type="submit"
          className="button primary"
          disabled={code.trim() === '' || output === '' || receive.isPending}
        >
          {receive.isPending ? 'Asking …' : 'See what is offered'}
        </button>
      </div>
      {receive.error !== null && <ErrorNote error={receive.error} />}
    </form>
  )
}
