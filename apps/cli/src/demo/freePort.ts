/** A port of the loopback interface that is free for TCP and for UDP, as a rendezvous needs it. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'

const ATTEMPTS_MAX = 20

/** Another program may take the port before it is used; the rendezvous then says so. */
export const freePort = async (): Promise<number> => {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const isFree = await isFreeForUdp(port)
    server.close()
    await once(server, 'close')
    if (isFree) return port
  }
  throw new Error('no port of the loopback interface is free for both TCP and UDP')
}

const isFreeForUdp = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = createSocket('udp4')
    socket.once('error', () => socket.close(() => resolve(false)))
    socket.bind(port, '127.0.0.1', () => socket.close(() => resolve(true)))
  })
