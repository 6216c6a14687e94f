/** The addresses of this machine at which its data plane can be reached: the host candidates. */
import { networkInterfaces } from 'node:os'

/**
 * IPv4 addresses of this machine, loopback only when there is nothing else (a machine without a network talks to
 * itself).
 *
 * @param listenHost - where the sockets are bound; one address unless it is 0.0.0.0.
 */
export const hostAddresses = (listenHost: string): readonly string[] => {
  if (listenHost !== '0.0.0.0') return [listenHost]
  const outside: string[] = []
  const inside: string[] = []
  for (const addresses of Object.values(networkInterfaces())) {
    for (const address of addresses ?? []) {
      if (address.family !== 'IPv4') continue
      ;(address.internal ? inside : outside).push(address.address)
    }
  }
  return outside.length > 0 ? outside : inside
}

/** Whether this machine has no address but loopback ones, or is told to use one: then a peer's are used too. */
export const isLoopbackOnly = (addresses: readonly string[]): boolean =>
  addresses.every((address) => address.startsWith('127.'))
