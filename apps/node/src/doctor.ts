/** What `godwit doctor` looks at: what the node stands on, and a line that mends what is not as it should be. */
import { statfs } from 'node:fs/promises'
import type { Doctor } from '@godwit/protocol/api'
import { FREE_SPACE_MARGIN_BYTES } from '@godwit/protocol/limits'
import { formatBytes } from '@godwit/protocol/rate'
import type { RedisFacts } from '@godwit/redis/connection'
import { hasNativePackets } from './crypto/nativePackets.js'
import { ownPacketCiphers } from './crypto/packetCiphers.js'
import { openOffloadSocket } from './dataPlane/offloadSocket.js'
import { UdpSocket } from './dataPlane/udpSocket.js'
import { hostAddresses, isLoopbackOnly } from './network/hostAddresses.js'
import type { RendezvousClient } from './rendezvous/rendezvousClient.js'

type Check = Doctor['checks'][number]

/** Bytes of a socket's buffers, as they are read back, below which a fast transfer loses packets. */
const WANTED_SOCKET_BUFFER_BYTES = 4 * 1024 * 1024

export interface DoctorDeps {
  readonly dataDir: string
  readonly listenHost: string
  readonly redis: { readonly mode: 'embedded' | 'external'; check(): Promise<RedisFacts | undefined> }
  readonly rendezvous: RendezvousClient | undefined
}

const check = (name: string, state: Check['state'], detail: string, fix: string | null = null): Check => ({
  name,
  state,
  detail,
  fix,
})

export const runDoctor = async (deps: DoctorDeps): Promise<Doctor> => ({
  type: 'doctor',
  checks: await Promise.all([
    checkRedis(deps),
    checkDataDir(deps.dataDir),
    checkSocketBuffer(deps.listenHost),
    checkAddresses(deps.listenHost),
    checkRendezvous(deps.rendezvous),
    checkDataPlane(deps.listenHost),
    checkPacketCrypto(),
  ]),
})

const checkRedis = async ({ redis }: DoctorDeps): Promise<Check> => {
  const facts = await redis.check()
  if (facts === undefined) return check('redis', 'problem', `the ${redis.mode} Redis does not answer`)
  return check('redis', 'ok', `${redis.mode}, version ${facts.version}, ${facts.maxMemoryPolicy}`)
}

const checkDataDir = async (dataDir: string): Promise<Check> => {
  const { bavail, bsize } = await statfs(dataDir)
  const free = bavail * bsize
  const detail = `${formatBytes(free)} free in ${dataDir}`
  return free > FREE_SPACE_MARGIN_BYTES
    ? check('data directory', 'ok', detail)
    : check('data directory', 'problem', detail, 'Free some space there, or set GODWIT_DATA_DIR.')
}

/** A buffer that was asked for and read back: Linux says twice what it granted, for its own bookkeeping (socket(7)). */
const checkSocketBuffer = async (listenHost: string): Promise<Check> => {
  const opened = await UdpSocket.open(listenHost, { onRead() {}, onDrain() {}, onTooLarge() {}, onTrainsRefused() {} })
  if (!opened.ok) return check('UDP buffer', 'problem', `no UDP socket on ${listenHost}`, 'Check GODWIT_LISTEN.')
  const { receiveBufferBytes: receive, sendBufferBytes: send } = opened.value
  opened.value.close()
  const detail = `${formatBytes(receive)} to receive, ${formatBytes(send)} to send`
  const missing = [
    receive < WANTED_SOCKET_BUFFER_BYTES ? `net.core.rmem_max=${WANTED_SOCKET_BUFFER_BYTES}` : '',
    send < WANTED_SOCKET_BUFFER_BYTES ? `net.core.wmem_max=${WANTED_SOCKET_BUFFER_BYTES}` : '',
  ].filter((setting) => setting !== '')
  return missing.length === 0
    ? check('UDP buffer', 'ok', detail)
    : check(
        'UDP buffer',
        'warning',
        `${detail}: fast transfers will lose packets here`,
        `sysctl -w ${missing.join(' ')}`,
      )
}

const checkDataPlane = (listenHost: string): Check => {
  const socket = openOffloadSocket(listenHost)
  socket?.close()
  return socket === undefined
    ? check('data plane', 'warning', 'plain datagrams, one call each: this system has no segmentation offload for UDP')
    : check('data plane', 'ok', 'trains of datagrams (UDP_SEGMENT, UDP_GRO)')
}

const checkPacketCrypto = (): Check =>
  hasNativePackets
    ? check('packet crypto', 'ok', `${ownPacketCiphers().join(', ')} by the native addon`)
    : check(
        'packet crypto',
        'warning',
        'chacha20Poly1305 by libsodium, one call a packet',
        'With make, a C++ compiler and python3 on this machine the next start builds a faster one.',
      )

const checkAddresses = (listenHost: string): Check => {
  const addresses = hostAddresses(listenHost)
  return isLoopbackOnly(addresses)
    ? check('addresses', 'warning', 'only loopback: this machine can send to itself only')
    : check('addresses', 'ok', addresses.join(', '))
}

const checkRendezvous = async (client: RendezvousClient | undefined): Promise<Check> => {
  if (client === undefined) return check('rendezvous', 'ok', 'none is set: a send hosts its own')
  const info = await client.info()
  return info.ok
    ? check('rendezvous', 'ok', `${client.host}, version ${info.value.version}`)
    : check('rendezvous', 'problem', `${client.host} does not answer`, 'Check GODWIT_RENDEZVOUS and that it runs.')
}
