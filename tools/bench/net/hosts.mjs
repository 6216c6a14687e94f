/**
 * Two hosts as network namespaces with names that no other run has, to be joined by a cable or an emulated link. Needs
 * root and iproute2.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { findProgram } from '../../setUp/paths.mjs'

/** Namespaces begin with this and the number of the process that made them. */
const PREFIX = 'gwbench'
const LISTEN_MS = 10_000
const POLL_MS = 50
const NETNS_FOLDER = '/run/netns'

/** Sysctls of each host: a run must not profit or suffer from what TCP remembers of the run before. */
const SYSCTLS = ['net.ipv4.tcp_no_metrics_save=1', 'net.ipv6.conf.all.disable_ipv6=1']

/** @typedef {{ namespace: string, address: string, device: string }} Host */

/** Why hosts cannot be made here; undefined when they can. */
export function hostsMissing() {
  if (process.platform !== 'linux') return 'network namespaces need Linux'
  if (process.getuid?.() !== 0) return 'root is needed for network namespaces'
  for (const program of ['ip', 'ss', 'sysctl'])
    if (findProgram(program) === undefined) return `${program} is not installed`
  return undefined
}

/** @param {readonly string[]} args */
export const ip = (...args) => void execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] })

let pairs = 0

export class Hosts {
  /** @param {Host} a @param {Host} b */
  constructor(a, b) {
    this.a = a
    this.b = b
  }

  /** @param {import('../cleanUp.mjs').CleanUp} cleanUp */
  static create(cleanUp) {
    sweep()
    const number = pairs++
    const hosts = /** @type {const} */ (['a', 'b']).map((side, index) => {
      const namespace = `${PREFIX}${process.pid}${side}${number}`
      cleanUp.add(() => spawnSync('ip', ['netns', 'delete', namespace], { stdio: 'ignore' }))
      ip('netns', 'add', namespace)
      ip('-n', namespace, 'link', 'set', 'lo', 'up')
      for (const setting of SYSCTLS) sysctl(namespace, setting)
      // A device's name has at most 15 characters.
      return {
        namespace,
        address: `10.77.${number % 256}.${index + 1}`,
        device: `gwb${process.pid}${side}${number % 10}`,
      }
    })
    return new Hosts(hosts[0], hosts[1])
  }

  /** Joins the hosts by a virtual cable. @param {number} mtu */
  cable(mtu) {
    const { a, b } = this
    ip('-n', a.namespace, 'link', 'add', a.device, 'type', 'veth', 'peer', 'name', b.device, 'netns', b.namespace)
    this.address(mtu)
  }

  /** Gives the devices of both hosts their addresses and brings them up. @param {number} mtu */
  address(mtu) {
    for (const { namespace, address, device } of [this.a, this.b]) {
      ip('-n', namespace, 'address', 'add', `${address}/24`, 'dev', device)
      ip('-n', namespace, 'link', 'set', device, 'mtu', String(mtu), 'up')
    }
  }
}

/** @param {string} namespace @param {string} setting - `name=value`. */
function sysctl(namespace, setting) {
  execFileSync('ip', ['netns', 'exec', namespace, 'sysctl', '-qw', setting], { stdio: ['ignore', 'ignore', 'pipe'] })
}

/**
 * Sets the congestion control of TCP for what leaves this host over its device: on the route, since the default of a
 * namespace can only be one that every user may choose.
 *
 * @param {Host} host @param {string} name
 */
export function useCongestionControl({ namespace, address, device }, name) {
  const network = `${address.slice(0, address.lastIndexOf('.'))}.0/24`
  ip('-n', namespace, 'route', 'replace', network, 'dev', device, 'src', address, 'congctl', name)
}

/**
 * Resolves when a program on the host listens. Rejects when none does in time.
 *
 * @param {Host} host @param {'tcp' | 'udp'} protocol @param {number} port
 */
export async function untilListening({ namespace }, protocol, port) {
  const args = [
    'netns',
    'exec',
    namespace,
    'ss',
    '-H',
    '-l',
    '-n',
    protocol === 'tcp' ? '-t' : '-u',
    `sport = :${port}`,
  ]
  for (const deadline = performance.now() + LISTEN_MS; performance.now() < deadline; await sleep(POLL_MS)) {
    if (spawnSync('ip', args, { encoding: 'utf8' }).stdout.trim() !== '') return
  }
  throw new Error(`nothing listens on ${protocol} port ${port} of ${namespace}`)
}

/** @param {string} name - of a congestion control of TCP: built in, or its module loaded. */
export const hasCongestionControl = (name) =>
  readFileSync('/proc/sys/net/ipv4/tcp_available_congestion_control', 'utf8').trim().split(' ').includes(name)

/** Removes namespaces of runs that were killed: nobody else can. */
function sweep() {
  if (!existsSync(NETNS_FOLDER)) return
  for (const name of readdirSync(NETNS_FOLDER)) {
    const pid = new RegExp(`^${PREFIX}([0-9]+)[ab][0-9]+$`).exec(name)?.[1]
    if (pid !== undefined && !existsSync(`/proc/${pid}`))
      spawnSync('ip', ['netns', 'delete', name], { stdio: 'ignore' })
  }
}
