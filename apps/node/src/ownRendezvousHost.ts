/** The rendezvous that this node hosts: started when the first send needs it, kept until the node ends. */
import type { Result } from '@godwit/protocol/errors'
import { ok } from '@godwit/protocol/errors'
import type { Logger } from 'pino'
import { advertiseAddress } from './rendezvous/advertiseAddress.js'
import { HostedRendezvous } from './rendezvous/hostedRendezvous.js'
import type { OwnRendezvous } from './runs/runContext.js'

export class OwnRendezvousHost {
  readonly #dataDir: string
  readonly #redisUrl: string
  readonly #logger: Logger
  #starting: Promise<Result<HostedRendezvous>> | undefined
  #running: OwnRendezvous | undefined

  constructor(dataDir: string, redisUrl: string, logger: Logger) {
    this.#dataDir = dataDir
    this.#redisUrl = redisUrl
    this.#logger = logger
  }

  /** Where it answers, when it runs. */
  get running(): OwnRendezvous | undefined {
    return this.#running
  }

  async ensure(): Promise<Result<OwnRendezvous>> {
    this.#starting ??= HostedRendezvous.start({
      dataDir: this.#dataDir,
      redisUrl: this.#redisUrl,
      onEvent: (event) => this.#logger.info({ rendezvous: event }, 'hosted rendezvous'),
    })
    const hosted = await this.#starting
    if (!hosted.ok) {
      this.#starting = undefined
      return hosted
    }
    this.#running = { url: hosted.value.url, advertise: `${await advertiseAddress()}:${hosted.value.port}` }
    return ok(this.#running)
  }

  async stop(): Promise<void> {
    const hosted = await this.#starting
    if (hosted?.ok === true) await hosted.value.stop()
  }
}
