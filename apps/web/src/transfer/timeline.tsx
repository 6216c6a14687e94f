/** What happened and when, as sentences: the newest first. */
import { useState } from 'react'
import { clockOf, momentOf } from '../ui/words'
import type { TransferHistory } from './history'

const SHOWN = 12
const STEP = 100

export const Timeline = ({ history }: { readonly history: TransferHistory }) => {
  const [shown, setShown] = useState(SHOWN)
  const { timeline } = history
  const entries = timeline.slice(Math.max(0, timeline.length - shown)).reverse()
  return (
    <section className="panel" aria-labelledby="timeline-title">
      <h2 id="timeline-title">What happened</h2>
      <ol className="timeline" reversed>
        {entries.map(({ key, at, text, tone }) => (
          <li key={key} data-tone={tone}>
            <time dateTime={at} title={momentOf(at)}>
              {clockOf(at)}
            </time>
            <span>
              <bdi>{text}</bdi>
            </span>
          </li>
        ))}
      </ol>
      {timeline.length > shown && (
        <button type="button" className="quiet" onClick={() => setShown(shown + STEP)}>
          Show earlier ({(timeline.length - shown).toLocaleString('en')})
        </button>
      )}
    </section>
  )
}
