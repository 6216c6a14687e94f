/**
 * A session's socket before there are keys: bound in the data plane, and the candidates under which the peer may find
 * it gathered: this machine's addresses, and the address that the rendezvous sees.
 */
import { randomUUID } from 'node:crypto'
import type { Candidate } from '@godwit/protocol/candidates'
import type { Result } from '@godwit/protocol/errors'
import { ok } from '@godwit/protocol/errors'
import { CANDIDATES_MAX } from '@godwit/protocol/limits'
import type { DataSession, SessionReport } from '../dataPlane/dataPlane.js'
import { askForAddress } from '../rendezvous/observation.js'
import type { Rendezvous, SessionOpener } from '../runs/runContext.js'
import { hostAddresses } from './hostAddresses.js'

export interface PeerSocket {
  /** Names it in logs. */
  readonly id: string
  readonly session: DataSession
  readonly candidates: readonly Candidate[]
  /** From when it is set on, reports of the session go there. */
  onReport: (report: SessionReport) => void
}

export interface PeerSocketOptions {
  readonly plane: SessionOpener
  readonly rendezvous: Rendezvous
  readonly listenHost: string
}

/** Binds a socket and gathers its candidates; that takes as long as the rendezvous needs for its UDP answer. */
export const openPeerSocket = async (options: PeerSocketOptions): Promise<Result<PeerSocket>> => {
  const listeners = new Set<(datagram: Uint8Array) => void>()
  const socket: { onReport: (report: SessionReport) => void } = { onReport: () => {} }
  const opened = await options.plane.open((report) => {
    if (report.type === 'raw') for (const listener of listeners) listener(report.bytes)
    else socket.onReport(report)
  })
  if (!opened.ok) return opened
  const session = opened.value
  const hosts = hostAddresses(options.listenHost).map(
    (ip): Candidate => ({ kind: 'host', family: 'ipv4', ip, port: session.port }),
  )
  const observed = await observe(session, options.rendezvous, listeners)
  // What is seen from outside under an address of this machine passed no NAT.
  const behindNat = observed.filter(({ ip, port }) => !hosts.some((host) => host.ip === ip && host.port === port))
  const candidates = [...behindNat, ...hosts].slice(0, CANDIDATES_MAX)
  return ok(Object.assign(socket, { id: randomUUID(), session, candidates }))
}

/** The address as seen from outside; none where the rendezvous is on this machine or UDP does not reach it. */
const observe = async (
  session: DataSession,
  rendezvous: Rendezvous,
  listeners: Set<(datagram: Uint8Array) => void>,
): Promise<readonly Candidate[]> => {
  if (/^(127\.|localhost|\[::1\])/.test(new URL(rendezvous.url).hostname)) return []
  const question = await rendezvous.addressQuestion()
  if (!question.ok) return []
  const answer = await askForAddress(
    {
      family: 'ipv4',
      send: (datagram, target) => session.command({ type: 'raw', ip: target.ip, port: target.port, bytes: datagram }),
      onDatagram: (handler) => {
        listeners.add(handler)
        return () => listeners.delete(handler)
      },
    },
    question.value,
  )
  if (!answer.ok) return []
  return [{ kind: 'observed', family: answer.value.family, ip: answer.value.ip, port: answer.value.port }]
}
