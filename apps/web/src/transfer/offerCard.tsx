/** What a sender offers, before anything of it is written: who, what, the words to compare, where to. */
import type { OfferedLine, TransferView } from '@godwit/protocol/api'
import { formatBytes } from '@godwit/protocol/rate'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { api, queryClient } from '../api/api'
import { FolderField } from '../ui/folderField'
import { ErrorNote } from '../ui/parts'
import { plural } from '../ui/words'

const FILES_SHOWN = 8

export const FileNames = ({
  files,
  count,
}: {
  readonly files: readonly { readonly path: string; readonly size: number }[]
  readonly count: number
}) => {
  const [isWhole, setWhole] = useState(false)
  const shown = isWhole ? files : files.slice(0, FILES_SHOWN)
  return (
    <>
      <ul className="files">
        {shown.map(({ path, size }) => (
          <li key={path}>
            <bdi>{path}</bdi>
            <span className="figures muted">{formatBytes(size)}</span>
          </li>
        ))}
      </ul>
      {files.length > FILES_SHOWN && (
        <button type="button" className="quiet" onClick={() => setWhole(!isWhole)}>
          {isWhole ? 'Show fewer' : `Show all ${files.length.toLocaleString('en')}`}
        </button>
      )}
      {count > files.length && (
        <p className="help">
          Of {plural(count, 'file')} the first {files.length.toLocaleString('en')} are listed.
        </p>
      )}
    </>
  )
}

export const OfferCard = ({ view, offer }: { readonly view: TransferView; readonly offer: OfferedLine }) => {
  const { transferId } = view
  const [output, setOutput] = useState(view.output ?? '')
  const onSuccess = () => queryClient.invalidateQueries({ queryKey: api.transfers.get.queryKey({ transferId }) })
  const accept = useMutation(api.transfers.accept.mutationOptions({ onSuccess }))
  const decline = useMutation(api.transfers.decline.mutationOptions({ onSuccess }))
  const isBusy = accept.isPending || decline.isPending
  return (
    <section className="offer" aria-labelledby="offer-title">
      <h2 id="offer-title">
        <bdi>{offer.from === '' ? 'The sender' : offer.from}</bdi> offers {plural(offer.fileCount, 'file')},{' '}
        {formatBytes(offer.totalBytes)}
      </h2>
      <FileNames files={offer.files} count={offer.fileCount} />
      <div className="words">
        <p>
          Ask the sender for the words on their screen. If they are not the same, somebody sits in between: decline.
        </p>
        <p className="verification">{offer.verification}</p>
      </div>
      <FolderField label="Save into" value={output} onChange={setOutput} mustBeWritable />
      <div className="actions">
        <button
          type="button"
          className="button primary"
          disabled={isBusy}
          onClick={() => accept.mutate({ transferId, ...(output === view.output || output === '' ? {} : { output }) })}
        >
          Accept and receive
        </button>
        <button type="button" className="button" disabled={isBusy} onClick={() => decline.mutate({ transferId })}>
          Decline
        </button>
      </div>
      {accept.error !== null && <ErrorNote error={accept.error} />}
      {decline.error !== null && <ErrorNote error={decline.error} />}
    </section>
  )
}
