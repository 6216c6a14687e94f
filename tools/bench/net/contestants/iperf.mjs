/** iperf3: what the kernel and the link give when no file is read, sealed, checked or written. The limit, not a peer. */
import { findProgram } from '../../../setUp/paths.mjs'
import { Child } from '../../child.mjs'
import { hasCongestionControl, untilListening } from '../hosts.mjs'
import { receivedIn } from './reports.mjs'

const PROGRAM = 'iperf3'
const PORT = 5201
const SECONDS = 8
/** Seconds at the beginning that do not count: TCP is still looking for the rate. */
const WARM_UP_SECONDS = 2
/** Of a link's rate, packets counted whole as iperf3 counts payload: what fits without losing to its own queue. */
const UDP_SHARE = 0.975
const SOCKET_BUFFER = '4M'

/**
 * @param {'tcp' | 'udp'} protocol @param {'cubic' | 'bbr'} [congestion] - of TCP.
 * @returns {import('./contestant.mjs').Contestant}
 */
export function iperf(protocol, congestion = 'cubic') {
  const kind = protocol === 'udp' ? 'UDP' : `TCP, ${congestion === 'bbr' ? 'BBR' : 'CUBIC'}`
  return {
    name: protocol === 'udp' ? 'iperf-udp' : `iperf-tcp-${congestion}`,
    label: `iperf3, ${kind} (the limit)`,
    missing: () => {
      if (findProgram(PROGRAM) === undefined) return `${PROGRAM} is not installed`
      return protocol === 'udp' || hasCongestionControl(congestion) ? undefined : `this kernel has no ${congestion}`
    },
    enter:
      async ({ cleanUp, hosts, link }) =>
      async ({ capSeconds }) => {
        const server = new Child(cleanUp, PROGRAM, ['-s', '-1', '-B', hosts.b.address, '-p', String(PORT)], {
          namespace: hosts.b.namespace,
        })
        await untilListening(hosts.b, 'tcp', PORT)
        const seconds = Math.min(SECONDS, capSeconds)
        const rate = link.kind === 'emulated' ? `${link.rateMbit * UDP_SHARE}M` : '0'
        const way = protocol === 'udp' ? ['-u', '-b', rate, '-w', SOCKET_BUFFER] : ['-C', congestion]
        const time = ['-t', String(seconds), '-O', String(WARM_UP_SECONDS)]
        /** @type {string[]} */
        const lines = []
        const client = new Child(cleanUp, PROGRAM, ['-c', hosts.b.address, '-p', String(PORT), '-J', ...time, ...way], {
          namespace: hosts.a.namespace,
          onLine: (line) => lines.push(line),
        })
        const { exitCode } = await client.finished
        await server.kill()
        const bytesPerSecond = receivedIn(lines.join('\n'))
        if (exitCode !== 0 || bytesPerSecond === undefined) throw new Error(`${PROGRAM} ended with ${exitCode}`)
        return { bytes: Math.round(bytesPerSecond * seconds), seconds, isCut: false }
      },
  }
}
