/** What `godwit doctor` looks at: what the node stands on, and a line that mends what is not as it should be. */
import { readFile, statfs } from 'node:fs/promises'
import type { Doctor } from '@godwit/protocol/api'
import { FREE_SPACE_MARGIN_BYTES } from '@godwit/protocol/limits'
import { formatBytes } from '@godwit/protocol/rate'
import type { RedisFacts } from '@godwit/redis/connection'
import { hasNativePackets } from './crypto/nativePackets.js'
import { ownPacketCiphers } from './crypto/packetCiphers.js'
import { hostAddresses, isLoopbackOnly } from './network/hostAddresses.js'
import type { RendezvousClient } from './rendezvous/rendezvousClient.js'

type Check = Doctor['checks'][number]

/** Bytes of a socket's receive buffer that are asked for. */
const WANTED_SOCKET_BUFFER_BYTES = 8 * 1024 * 1024

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
    checkSocketBuffer(),
    checkAddresses(deps.listenHost),
    checkRendezvous(deps.rendezvous),
    check('data plane', 'ok', 'plain datagrams'),
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

const checkSocketBuffer = async (): Promise<Check> => {
  const limit = await readFile('/proc/sys/net/core/rmem_max', 'utf8').then(Number, () => Number.NaN)
  if (Number.isNaN(limit)) return check('UDP buffer', 'ok', 'the system tells no limit')
  const detail = `the system allows ${formatBytes(limit)}`
  return limit * 2 >= WANTED_SOCKET_BUFFER_BYTES
    ? check('UDP buffer', 'ok', detail)
    : check('UDP buffer', 'warning', detail, `sysctl -w net.core.rmem_max=${WANTED_SOCKET_BUFFER_BYTES}`)
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
