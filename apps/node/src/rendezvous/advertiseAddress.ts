/** Under which address others may find a server on this machine. */
import { createSocket } from 'node:dgram'
import { isIPv4 } from 'node:net'
import { networkInterfaces } from 'node:os'

/** Any public address: connecting a UDP socket only looks up the route, nothing is sent. */
const SOMEWHERE_PUBLIC = '1.1.1.1'

/** The source address of the default route, else the first IPv4 address that is not loopback, else 127.0.0.1. */
export const advertiseAddress = async (): Promise<string> =>
  (await defaultRouteSource()) ?? firstExternalAddress() ?? '127.0.0.1'

const defaultRouteSource = (): Promise<string | undefined> =>
  new Promise((resolve) => {
    const socket = createSocket('udp4')
    const finish = (address: string | undefined): void => {
      socket.close()
      resolve(address !== undefined && isIPv4(address) && isExternal(address) ? address : undefined)
    }
    socket.once('error', () => finish(undefined))
    socket.connect(9, SOMEWHERE_PUBLIC, () => finish(socket.address().address))
  })

const firstExternalAddress = (): string | undefined =>
  Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(({ family, internal, address }) => family === 'IPv4' && !internal && isExternal(address))?.address

/** Neither unspecified, nor loopback, nor link-local (RFC 3927: an address that nobody gave out). */
const isExternal = (address: string): boolean => !/^(0|127|169\.254)\./.test(address)
