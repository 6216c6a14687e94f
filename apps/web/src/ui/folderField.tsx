/** A folder on the node's machine: typed, or picked in a list of what is there. */
import { useId, useState } from 'react'
import { FolderPicker } from './folderPicker'

export const FolderField = ({
  label,
  value,
  onChange,
  mustBeWritable = false,
}: {
  readonly label: string
  readonly value: string
  readonly onChange: (path: string) => void
  readonly mustBeWritable?: boolean
}) => {
  const [isOpen, setOpen] = useState(false)
  const id = useId()
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <div className="input-line">
        <input
          id={id}
          value={value}
          spellCheck={false}
          autoComplete="off"
          onChange={(event) => onChange(event.target.value)}
        />
        <button type="button" className="button" onClick={() => setOpen(true)}>
          Choose
          <span className="visually-hidden"> a folder</span>
        </button>
      </div>
      {isOpen && (
        <FolderPicker
          title="Choose a folder"
          start={value}
          picks="folder"
          mustBeWritable={mustBeWritable}
          onClose={() => setOpen(false)}
          onPick={(path) => {
            onChange(path)
            setOpen(false)
          }}
        />
      )}
    </div>
  )
}
