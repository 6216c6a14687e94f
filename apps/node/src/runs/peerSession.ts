/**
 * The data session with one peer, from bound socket to `ended`: opens it in the data plane once the handshake has given
 * the keys, and records that it was opened and lost.
 */

import type { SessionKeys } from '@godwit/engine/handshake/types'
import type { CloseCode } from '@godwit/engine/transport/types'
import type { ErrorCode, Result } from '@godwit/protocol/errors'
import type { RecordedEvent } from '@godwit/protocol/events'
import type { TransferEvent } from '@godwit/protocol/transferEvents'
import type { SessionCommand, SessionReport } from '../dataPlane/dataPlane.js'
import type { ReceiverParameters, SenderParameters } from '../dataPlane/messages.js'
import type { PeerSocket } from '../network/peerSocket.js'

export type EndedReport = Extract<SessionReport, { type: 'ended' }>
export type EstablishedReport = Extract<SessionReport, { type: 'established' }>
export type InnerReport = Exclude<SessionReport, EndedReport | EstablishedReport | { type: 'raw' }>

export interface PeerSessionEvents {
  onEstablished(report: EstablishedReport): Promise<void>
  onReport(report: InnerReport): Promise<void>
  onEnded(report: EndedReport): Promise<void>
}

export class PeerSession {
  readonly #socket: PeerSocket
  #isStarted = false
  #isEnded = false
  /** The number that the log gave it; 0 until it is recorded as opened. */
  number = 0
  isEstablished = false

  constructor(socket: PeerSocket) {
    this.#socket = socket
  }

  get candidates(): PeerSocket['candidates'] {
    return this.#socket.candidates
  }

  get isStarted(): boolean {
    return this.#isStarted
  }

  get isEnded(): boolean {
    return this.#isEnded
  }

  /** @param spawn - runs a task in the order of the transfer. */
  start(
    keys: SessionKeys,
    transfer: SenderParameters | ReceiverParameters,
    limit: number | null,
    events: PeerSessionEvents,
    spawn: (task: () => Promise<void>) => void,
  ): void {
    this.#isStarted = true
    this.#socket.onReport = (report) => {
      spawn(async () => {
        switch (report.type) {
          case 'raw':
            return
          case 'established':
            this.isEstablished = true
            return events.onEstablished(report)
          case 'ended':
            this.#isEnded = true
            return events.onEnded(report)
          default:
            return events.onReport(report)
        }
      })
    }
    const candidates = keys.peer.candidates.filter(({ family }) => family === 'ipv4')
    this.command({
      type: 'start',
      session: {
        lane: 0,
        connectionIds: keys.connectionIds,
        trafficSecrets: keys.trafficSecrets,
        candidates,
        limit,
      },
      transfer,
    })
    // The worker has its own copies.
    keys.trafficSecrets.receiverToSender.fill(0)
    keys.trafficSecrets.senderToReceiver.fill(0)
  }

  command(command: SessionCommand): void {
    this.#socket.session.command(command)
  }

  close(code: CloseCode): void {
    this.command({ type: 'close', code })
  }
}

/** Why a session was lost, as the log says it. */
export const reasonOfEnd = ({ cause, code }: EndedReport): ErrorCode => {
  if (cause === 'noPath') return 'ERR_NO_PATH'
  if (code === 'protocol') return 'ERR_PEER_PROTOCOL'
  if (code === 'cancelled') return 'ERR_CANCELLED_BY_PEER'
  return 'ERR_SESSION_LOST'
}

/** What is known of a path that was never found, in one line for the user. */
export const noPathDetail = ({ datagramsReceived }: EndedReport, candidates: number): string =>
  datagramsReceived === 0
    ? `no datagram came in from any of ${candidates} addresses of the other side; most likely a firewall drops incoming UDP here or there`
    : 'datagrams of the other side came in but its answers did not; most likely a firewall or NAT passes UDP in one direction only'

/** The number that the log gave to the session that was just recorded as opened; 0 where it recorded none. */
export const sessionNumberOf = (opened: Result<readonly RecordedEvent<TransferEvent>[]>): number => {
  if (!opened.ok) return 0
  for (const { type, data } of opened.value) if (type === 'SessionOpened' && 'session' in data) return data.session
  return 0
}
