/** A row for each receiver of a transfer: who it is, how far, how fast, by which way. */
import type { TransferDetails, TransferView } from '@godwit/protocol/api'
import { displayName } from '@godwit/protocol/displayName'
import { formatBytes, formatRate } from '@godwit/protocol/rate'
import { Progress } from '../ui/parts'
import { plural, STATE_WORDS } from '../ui/words'
import type { TransferHistory } from './history'

const WAYS: Readonly<Record<string, string>> = {
  host: 'direct',
  observed: 'through a router',
  peerReflexive: 'through a router',
}

const wayOf = (path: string): string => {
  const [kind = '', family = ''] = path.split(' ')
  return kind === '' ? '' : `${WAYS[kind] ?? kind}, ${family === 'ipv6' ? 'IPv6' : 'IPv4'}`
}

export const ReceiverRows = ({
  view,
  details,
  history,
}: {
  readonly view: TransferView
  readonly details: TransferDetails | undefined
  readonly history: TransferHistory
}) => {
  if (view.role === 'receiver' || view.receivers.length === 0) return null
  return (
    <section className="panel" aria-labelledby="receivers-title">
      <div className="panel-head">
        <h2 id="receivers-title">Receivers</h2>
        <p className="figures muted">
          {view.receivers.filter(({ state }) => state === 'completed').length} of{' '}
          {plural(view.receiversWanted, 'receiver')} have everything
        </p>
      </div>
      <ul className="receivers">
        {view.receivers.map(({ id, name, state, bytesDone, place }) => {
          const known = history.receivers.get(id)
          const words = details?.verification[id]
          const shown = name === '' ? 'Not introduced yet' : displayName(name)
          return (
            <li key={id} data-state={state}>
              <div className="receiver-name">
                <strong>
                  <bdi>{shown}</bdi>
                </strong>
                <span className="muted">{wayOf(known?.path ?? '')}</span>
                {words !== undefined && state === 'awaitingAcceptance' && (
                  <span>
                    Tell them these words when they ask: <strong className="words-inline">{words}</strong>
                  </span>
                )}
              </div>
              <Progress done={bytesDone} total={view.bytesTotal} label={`Progress of ${shown}`} />
              <span className="state">
                {place === null ? STATE_WORDS[state] : `${STATE_WORDS[state]}, place ${place}`}
              </span>
              <span className="figures">
                {formatBytes(bytesDone)}
                {state === 'transferring' && known !== undefined && known.rate > 0 && ` · ${formatRate(known.rate)}`}
              </span>
            </li>
          )
        })}
      </ul>
    </section>
  )
}
