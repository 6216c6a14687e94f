/** A question over the page: the browser's own dialog, which keeps the focus inside and closes by Escape. */
import { type ReactNode, useEffect, useId, useRef } from 'react'

export const Dialog = ({
  title,
  onClose,
  children,
}: {
  readonly title: string
  readonly onClose: () => void
  readonly children: ReactNode
}) => {
  const dialog = useRef<HTMLDialogElement>(null)
  const id = useId()
  useEffect(() => {
    const { current } = dialog
    if (current !== null && !current.open) current.showModal()
    return () => current?.close()
  }, [])
  // A `close` event comes a moment after its closing: one that belongs to an earlier opening must not close this one.
  const closed = (): void => {
    if (dialog.current?.open !== true) onClose()
  }
  return (
    <dialog ref={dialog} aria-labelledby={id} onCancel={onClose} onClose={closed}>
      <h2 id={id}>{title}</h2>
      {children}
    </dialog>
  )
}
