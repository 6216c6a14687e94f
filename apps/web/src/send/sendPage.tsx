/** Sending: add files or pick a path, then get the code. */
import { displayName } from '@godwit/protocol/displayName'
import { formatBytes } from '@godwit/protocol/rate'
import { type DragEvent, useRef, useState } from 'react'
import { FolderPicker } from '../ui/folderPicker'
import { Close, FileIcon, FolderIcon } from '../ui/icons'
import { ErrorNote, Progress } from '../ui/parts'
import { plural } from '../ui/words'
import { type AddedFile, filesOfDrop, filesOfInput, joinFiles, topsOf } from './droppedFiles'
import { NO_OPTIONS, type OptionTexts, optionsOf, SendOptionFields } from './sendOptions'
import { UploadRefused } from './upload'
import { useSending } from './useSending'

const SendFailure = ({ error }: { readonly error: unknown }) =>
  error instanceof UploadRefused ? (
    <div className="note error" role="alert">
      <p>{error.message}</p>
    </div>
  ) : (
    <ErrorNote error={error} />
  )

export const SendPage = () => {
  const [files, setFiles] = useState<readonly AddedFile[]>([])
  const [paths, setPaths] = useState<readonly string[]>([])
  const [texts, setTexts] = useState<OptionTexts>(NO_OPTIONS)
  const [isOver, setOver] = useState(false)
  const [isPicking, setPicking] = useState(false)
  const [isReading, setReading] = useState(false)
  const filesInput = useRef<HTMLInputElement>(null)
  const folderInput = useRef<HTMLInputElement>(null)
  const { sending, isBusy, start, stop } = useSending()
  const options = optionsOf(texts, Date.now())

  const add = (added: readonly AddedFile[]): void => {
    setPaths([])
    setFiles((before) => joinFiles(before, added))
  }
  const drop = (event: DragEvent): void => {
    event.preventDefault()
    setOver(false)
    if (isBusy) return
    setReading(true)
    filesOfDrop(event.dataTransfer)
      .then(add)
      .finally(() => setReading(false))
  }
  const tops = topsOf(files)
  const bytes = tops.reduce((sum, top) => sum + top.bytes, 0)
  const hasSomething = files.length > 0 || paths.length > 0

  return (
    <form
      className="narrow"
      onSubmit={(event) => {
        event.preventDefault()
        if (options.ok && hasSomething && !isBusy) start(files, paths, options.value)
      }}
    >
      <h1>Send</h1>
      <p className="lead">Add what you want to send. Then you get a code, and whoever has it can receive.</p>

      {/* biome-ignore lint/a11y/noStaticElementInteractions: dropping is a shortcut for what the buttons inside do */}
      <div
        className={isOver ? 'drop over' : 'drop'}
        onDragOver={(event) => {
          event.preventDefault()
          setOver(true)
        }}
        onDragLeave={() => setOver(false)}
        onDrop={drop}
      >
        <p className="drop-title">{isReading ? 'Reading the folder …' : 'Drop files or folders here'}</p>
        <div className="actions">
          <button type="button" className="button" disabled={isBusy} onClick={() => filesInput.current?.click()}>
            Choose files
          </button>
          <button type="button" className="button" disabled={isBusy} onClick={() => folderInput.current?.click()}>
            Choose a folder
          </button>
          <button type="button" className="button" disabled={isBusy} onClick={() => setPicking(true)}>
            Pick a path
          </button>
        </div>
        <p className="help">
          What you drop or choose is handed to the node first and takes its place on the disk until it is sent. A path
          is sent from where it lies: better for large files.
        </p>
        <input
          ref={filesInput}
          type="file"
          multiple
          hidden
          aria-label="Files to send"
          onChange={(event) => {
            add(filesOfInput(event.target.files ?? new FileList()))
            event.target.value = ''
          }}
        />
        <input
          ref={(element) => {
            folderInput.current = element
            element?.setAttribute('webkitdirectory', '')
          }}
          type="file"
          hidden
          aria-label="A folder to send"
          onChange={(event) => {
            add(filesOfInput(event.target.files ?? new FileList()))
            event.target.value = ''
          }}
        />
      </div>

      {hasSomething && (
        <section aria-labelledby="added-title">
          <h2 id="added-title">
            {files.length > 0 ? `${plural(files.length, 'file')}, ${formatBytes(bytes)}` : 'From this computer’s disk'}
          </h2>
          <ul className="files added">
            {tops.map(({ name, files: count, bytes: size, isFolder }) => (
              <li key={name}>
                {isFolder ? <FolderIcon /> : <FileIcon />}
                <bdi>{displayName(name)}</bdi>
                <span className="figures muted">
                  {isFolder && `${plural(count, 'file')}, `}
                  {formatBytes(size)}
                </span>
                <button
                  type="button"
                  className="quiet"
                  disabled={isBusy}
                  onClick={() => setFiles(files.filter(({ path }) => path !== name && !path.startsWith(`${name}/`)))}
                >
                  <Close />
                  <span className="visually-hidden">Take away {displayName(name)}</span>
                </button>
              </li>
            ))}
            {paths.map((path) => (
              <li key={path}>
                <FolderIcon />
                <bdi className="break">{displayName(path, 400)}</bdi>
                <button
                  type="button"
                  className="quiet"
                  disabled={isBusy}
                  onClick={() => setPaths(paths.filter((one) => one !== path))}
                >
                  <Close />
                  <span className="visually-hidden">Take away {displayName(path)}</span>
                </button>
              </li>
            ))}
          </ul>
          <SendOptionFields texts={texts} problem={options.ok ? undefined : options.problem} onChange={setTexts} />
          {sending.is === 'handingOver' && (
            <div className="handing-over">
              <Progress done={sending.bytes} total={sending.total} label="Handing the files to the node" />
              <p className="figures" aria-live="polite">
                Handing over: {formatBytes(sending.bytes)} of {formatBytes(sending.total)}
              </p>
            </div>
          )}
          <div className="actions">
            <button type="submit" className="button primary" disabled={isBusy || !options.ok}>
              {sending.is === 'enqueueing'
                ? 'Opening the room …'
                : sending.is === 'handingOver'
                  ? 'Handing over …'
                  : 'Get the code'}
            </button>
            {sending.is === 'handingOver' && (
              <button type="button" className="button" onClick={stop}>
                Stop
              </button>
            )}
          </div>
        </section>
      )}
      {sending.is === 'failed' && <SendFailure error={sending.error} />}
      {isPicking && (
        <FolderPicker
          title="Pick what to send"
          start=""
          picks="any"
          onClose={() => setPicking(false)}
          onPick={(path) => {
            setFiles([])
            setPaths((before) => [...new Set([...before, path])])
            setPicking(false)
          }}
        />
      )}
    </form>
  )
}
