/** Listening on loopback: on the port that was asked for, or on another one where that is taken. */
import type { FastifyInstance } from 'fastify'

/** @returns the port that it listens on. */
export const listenOn = async (app: FastifyInstance, preferredPort: number | undefined): Promise<number> => {
  await app.ready()
  const listen = (port: number): Promise<number> =>
    new Promise((resolve, reject) => {
      const { server } = app
      const onError = (error: Error): void => reject(error)
      server.once('error', onError)
      // Not app.listen: it can be called once only, and the preferred port may be another program's by now.
      server.listen({ host: '127.0.0.1', port }, () => {
        server.off('error', onError)
        const address = server.address()
        if (address === null || typeof address === 'string') reject(new Error('the API has no port'))
        else resolve(address.port)
      })
    })
  if (preferredPort === undefined) return listen(0)
  return listen(preferredPort).catch(() => listen(0))
}
