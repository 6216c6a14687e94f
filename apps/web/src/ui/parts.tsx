/** Small parts that several views share. */
import type { ReactNode } from 'react'
import { sentenceOf } from '../api/api'
import { Alert } from './icons'

/** A bar of progress. @param label - what progresses, for screen readers. */
export const Progress = ({
  done,
  total,
  label,
  isQuiet = false,
}: {
  readonly done: number
  readonly total: number
  readonly label: string
  readonly isQuiet?: boolean
}) => {
  const share = total > 0 ? Math.min(1, done / total) : 0
  return (
    <div
      className={isQuiet ? 'progress quiet' : 'progress'}
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.floor(share * 100)}
    >
      <div style={{ transform: `scaleX(${share})` }} />
    </div>
  )
}

export const ErrorNote = ({ error, children }: { readonly error: unknown; readonly children?: ReactNode }) => (
  <div className="note error" role="alert">
    <Alert />
    <div>
      <p>{sentenceOf(error)}</p>
      {children}
    </div>
  </div>
)

export const Loading = ({ what }: { readonly what: string }) => (
  <p className="loading" role="status">
    {what}
  </p>
)
