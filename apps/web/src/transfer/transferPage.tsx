/** One transfer: what is going on, what to do next, and everything that happened. */
import type { TransferView } from '@godwit/protocol/api'
import { formatDuration } from '@godwit/protocol/duration'
import { formatBytes, formatRate } from '@godwit/protocol/rate'
import { refusalIn, sentenceOf } from '../api/api'
import { Link } from '../router'
import { Alert, Check, Incoming, Outgoing } from '../ui/icons'
import { Loading, Progress } from '../ui/parts'
import { isOver, momentOf, planWords, plural, STATE_WORDS, situationOf, titleOfTransfer } from '../ui/words'
import { ChunkMap } from './chunkMap'
import { CodeCard } from './codeCard'
import { FlowChart } from './flowChart'
import { FileNames, OfferCard } from './offerCard'
import { ReceiverRows } from './receiverRows'
import { Timeline } from './timeline'
import { TransferActions } from './transferActions'
import { useTransfer } from './useTransfer'

const Missing = ({ error }: { readonly error: unknown }) => (
  <section className="empty">
    <h1>
      {refusalIn(error)?.code === 'ERR_TRANSFER_NOT_FOUND' ? 'This transfer is gone' : 'This transfer cannot be shown'}
    </h1>
    <p>
      {refusalIn(error)?.code === 'ERR_TRANSFER_NOT_FOUND'
        ? 'It was removed from the list. Files that were received are where they were saved.'
        : sentenceOf(error)}
    </p>
    <Link className="button primary" href="/">
      All transfers
    </Link>
  </section>
)

const Figures = ({ view }: { readonly view: TransferView }) => {
  const percent = view.bytesTotal === 0 ? 0 : Math.floor((view.bytesDone / view.bytesTotal) * 100)
  const isMoving = view.state === 'transferring'
  return (
    <dl className="numbers">
      <div>
        <dt>Arrived</dt>
        <dd>
          {formatBytes(view.bytesDone)}{' '}
          <span className="muted">
            of {formatBytes(view.bytesTotal)}, {percent} %
          </span>
        </dd>
      </div>
      {isMoving && (
        <div>
          <dt>Rate</dt>
          <dd>{view.rate === 0 ? '–' : formatRate(view.rate)}</dd>
        </div>
      )}
      {isMoving && (
        <div>
          <dt>Left</dt>
          <dd>{view.etaSeconds === null ? '–' : formatDuration(view.etaSeconds)}</dd>
        </div>
      )}
      <div>
        <dt>Files</dt>
        <dd>
          {view.filesDone.toLocaleString('en')} <span className="muted">of {view.fileCount.toLocaleString('en')}</span>
        </dd>
      </div>
      <div>
        <dt>Sent again</dt>
        <dd>{formatBytes(view.retransmittedBytes)}</dd>
      </div>
    </dl>
  )
}

export const TransferPage = ({ transferId }: { readonly transferId: string }) => {
  const { view, details, history, revision, error } = useTransfer(transferId)
  if (view === undefined) return error === undefined ? <Loading what="Asking the node …" /> : <Missing error={error} />
  const isSender = view.role === 'sender'
  const title = titleOfTransfer(view)
  const code = details?.code ?? null
  const offer = details?.offer ?? null
  const isWaiting =
    view.bytesDone === 0 && (view.state === 'waitingForPeer' || view.state === 'queued' || view.state === 'scheduled')
  const hasContents = view.bytesTotal > 0 || view.fileCount > 0
  const hasMoved = history.samples.length > 0
  const isAsking = view.state === 'awaitingAcceptance'
  const plan = isOver(view.state) ? '' : planWords(view)
  // Whoever is to have it has come: then the code is of little use, and out of the way.
  const hasEnough = view.receivers.filter(({ place }) => place === null).length >= view.receiversWanted
  return (
    <article className="transfer">
      <header className="transfer-head" data-state={view.state}>
        <p className="eyebrow">
          {isSender ? <Outgoing /> : <Incoming />}
          {isSender ? 'Sending' : 'Receiving'} · {momentOf(view.createdAt)}
        </p>
        <h1>
          <bdi>{title}</bdi>
        </h1>
        <p className="headline" role="status">
          {view.state === 'completed' && <Check />}
          {view.state === 'failed' && <Alert />}
          <span>
            <strong>{STATE_WORDS[view.state]}.</strong> {situationOf(view)}
          </span>
        </p>
        {hasContents && !isWaiting && !isAsking && (
          <>
            <Progress
              done={view.bytesDone}
              total={view.bytesTotal}
              label={`Progress of ${title}`}
              isQuiet={view.state === 'paused' || isOver(view.state)}
            />
            <Figures view={view} />
          </>
        )}
        {plan !== '' && <p className="figures muted">{plan}</p>}
        {!(isAsking && !isSender) && <TransferActions view={view} />}
      </header>

      {code !== null && !isOver(view.state) && <CodeCard code={code} isNeeded={!hasEnough} />}
      {isAsking && !isSender && offer !== null && <OfferCard view={view} offer={offer} />}
      {view.state === 'completed' && !isSender && details?.result != null && (
        <section className="panel" aria-labelledby="files-title">
          <h2 id="files-title">
            {plural(view.fileCount, 'file')} in <bdi className="break">{view.output}</bdi>
          </h2>
          <FileNames files={details.result.files} count={view.fileCount} />
        </section>
      )}

      <ReceiverRows view={view} details={details} history={history} />
      {hasMoved && (
        <div className="columns">
          <ChunkMap history={history} revision={revision} isComplete={view.state === 'completed'} />
          <FlowChart history={history} revision={revision} />
        </div>
      )}
      {history.version > 0 ? <Timeline history={history} /> : <Loading what="Reading what happened …" />}
    </article>
  )
}
