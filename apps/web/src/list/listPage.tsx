/** All transfers of the node, live: those under way first. */
import type { TransferView } from '@godwit/protocol/api'
import { formatDuration } from '@godwit/protocol/duration'
import { formatBytes, formatRate } from '@godwit/protocol/rate'
import { PRIORITY_DEFAULT } from '@godwit/protocol/schedule'
import { memo, useMemo, useState } from 'react'
import { Link, pathOfTransfer } from '../router'
import { Incoming, Outgoing } from '../ui/icons'
import { Loading, Progress } from '../ui/parts'
import { isOver, momentOf, plural, STATE_WORDS, situationOf, titleOfTransfer } from '../ui/words'
import { sortedList, useTransferList } from './transferList'

/** Transfers that are over and shown at first. */
const OVER_SHOWN = 30

const figuresOf = (view: TransferView): string => {
  const total = view.bytesTotal === 0 && view.role === 'receiver' ? '' : formatBytes(view.bytesTotal)
  if (view.state !== 'transferring' || view.rate === 0) return total
  return `${formatBytes(view.bytesDone)} of ${total} · ${formatRate(view.rate)}`
}

const Row = memo(({ view }: { readonly view: TransferView }) => {
  const title = titleOfTransfer(view)
  const isShown = view.state === 'transferring' || view.state === 'paused' || view.state === 'verifying'
  const done = view.receivers.filter(({ state }) => state === 'completed').length
  return (
    <li className="row" data-state={view.state}>
      <span className="direction" title={view.role === 'sender' ? 'Sent from here' : 'Received here'}>
        {view.role === 'sender' ? <Outgoing /> : <Incoming />}
        <span className="visually-hidden">{view.role === 'sender' ? 'Sending' : 'Receiving'}</span>
      </span>
      <div className="row-main">
        <h3>
          <Link href={pathOfTransfer(view.transferId)}>
            <bdi>{title}</bdi>
          </Link>
        </h3>
        <p className="situation">
          {situationOf(view)}
          {!isOver(view.state) && view.priority !== PRIORITY_DEFAULT && ` Priority ${view.priority}.`}
        </p>
        {isShown && (
          <Progress
            done={view.bytesDone}
            total={view.bytesTotal}
            label={`Progress of ${title}`}
            isQuiet={view.state === 'paused'}
          />
        )}
      </div>
      <div className="row-side">
        <span className="state">{STATE_WORDS[view.state]}</span>
        <span className="figures">{figuresOf(view)}</span>
        <span className="figures muted">
          {view.state === 'transferring' && view.etaSeconds !== null
            ? `${formatDuration(view.etaSeconds)} left`
            : view.role === 'sender' && view.receiversWanted > 1
              ? `${done} of ${plural(view.receiversWanted, 'receiver')}`
              : momentOf(view.createdAt)}
        </span>
      </div>
    </li>
  )
})

const Empty = () => (
  <section className="empty">
    <h1>Nothing under way</h1>
    <p>
      Files go from this computer straight to another one, encrypted, and arrive whole, whatever is switched off on the
      way.
    </p>
    <div className="choices">
      <Link className="choice" href="/send">
        <Outgoing />
        <strong>Send something</strong>
        <span>Add files, get a code, tell it to the receiver.</span>
      </Link>
      <Link className="choice" href="/receive">
        <Incoming />
        <strong>Receive something</strong>
        <span>Paste the code that you were told.</span>
      </Link>
    </div>
  </section>
)

export const ListPage = () => {
  const list = useTransferList()
  const { active, over } = useMemo(() => sortedList(list), [list])
  const [shown, setShown] = useState(OVER_SHOWN)
  if (!list.isCaughtUp && list.views.size === 0) return <Loading what="Asking the node …" />
  if (list.views.size === 0) return <Empty />
  return (
    <>
      <div className="title-line">
        <h1>Transfers</h1>
        <div className="actions">
          <Link className="button primary" href="/send">
            <Outgoing />
            Send
          </Link>
          <Link className="button" href="/receive">
            <Incoming />
            Receive
          </Link>
        </div>
      </div>
      <section aria-labelledby="active-title">
        <h2 id="active-title">Under way {active.length > 0 && <span className="count">{active.length}</span>}</h2>
        {active.length === 0 ? (
          <p className="muted">Nothing at the moment.</p>
        ) : (
          <ul className="rows">
            {active.map((view) => (
              <Row key={view.transferId} view={view} />
            ))}
          </ul>
        )}
      </section>
      {over.length > 0 && (
        <section aria-labelledby="over-title">
          <h2 id="over-title">
            Over <span className="count">{over.length}</span>
          </h2>
          <ul className="rows">
            {over.slice(0, shown).map((view) => (
              <Row key={view.transferId} view={view} />
            ))}
          </ul>
          {over.length > shown && (
            <button type="button" className="button" onClick={() => setShown(shown + 100)}>
              Show {Math.min(100, over.length - shown)} more
            </button>
          )}
        </section>
      )}
    </>
  )
}
