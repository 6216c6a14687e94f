/** Walks the folders of the node's machine and picks a file or a folder. */
import { displayName } from '@godwit/protocol/displayName'
import { formatBytes } from '@godwit/protocol/rate'
import { useQuery } from '@tanstack/react-query'
import { type FormEvent, useId, useState } from 'react'
import { api } from '../api/api'
import { Dialog } from './dialog'
import { FileIcon, FolderIcon, Up } from './icons'
import { ErrorNote, Loading } from './parts'

export const FolderPicker = ({
  title,
  start,
  picks,
  mustBeWritable = false,
  onPick,
  onClose,
}: {
  readonly title: string
  /** Where to begin; empty for where the node suggests. */
  readonly start: string
  readonly picks: 'folder' | 'any'
  readonly mustBeWritable?: boolean
  readonly onPick: (path: string) => void
  readonly onClose: () => void
}) => {
  const [path, setPath] = useState(start)
  const [typed, setTyped] = useState<string>()
  const id = useId()
  const folder = useQuery({
    ...api.page.folder.queryOptions(path === '' ? {} : { path }),
    // What lies in a folder changes without anybody telling.
    staleTime: 0,
    retry: false,
    placeholderData: (before) => before,
  })
  const listing = folder.error === null ? folder.data : undefined
  const entries = listing?.entries.filter(
    ({ kind, name }) => (picks === 'any' || kind === 'folder') && !name.startsWith('.'),
  )
  const goInto = (next: string): void => {
    setPath(next)
    setTyped(undefined)
  }
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    goInto(typed ?? path)
  }
  return (
    <Dialog title={title} onClose={onClose}>
      <form className="field" onSubmit={submit}>
        <label htmlFor={id}>Path</label>
        <div className="input-line">
          <input
            id={id}
            value={typed ?? listing?.path ?? path}
            spellCheck={false}
            autoComplete="off"
            onChange={(event) => setTyped(event.target.value)}
          />
          <button type="submit" className="button">
            Go
          </button>
        </div>
      </form>
      {folder.error !== null && <ErrorNote error={folder.error} />}
      {folder.isPending && <Loading what="Looking …" />}
      {listing !== undefined && (
        <ul className="browser" aria-label={`In ${displayName(listing.path, 200)}`}>
          {listing.parent !== null && (
            <li>
              <button type="button" onClick={() => goInto(listing.parent ?? '/')}>
                <Up />
                One up
              </button>
            </li>
          )}
          {entries?.map((entry) => (
            <li key={entry.path}>
              <button type="button" onClick={() => (entry.kind === 'folder' ? goInto(entry.path) : onPick(entry.path))}>
                {entry.kind === 'folder' ? <FolderIcon /> : <FileIcon />}
                <bdi>{displayName(entry.name)}</bdi>
                {entry.kind === 'file' && <span className="figures muted">{formatBytes(entry.size)}</span>}
              </button>
            </li>
          ))}
          {entries?.length === 0 && (
            <li className="muted browser-empty">{picks === 'any' ? 'This folder is empty.' : 'No folders in here.'}</li>
          )}
          {listing.isCut && <li className="muted browser-empty">There is more; type its path.</li>}
        </ul>
      )}
      <div className="actions">
        <button
          type="button"
          className="button primary"
          disabled={listing === undefined || (mustBeWritable && !listing.isWritable)}
          onClick={() => listing !== undefined && onPick(listing.path)}
        >
          Take this folder
        </button>
        <button type="button" className="button" onClick={onClose}>
          Leave it
        </button>
      </div>
      {mustBeWritable && listing?.isWritable === false && (
        <p className="help problem">Nothing can be written into this folder.</p>
      )}
    </Dialog>
  )
}
