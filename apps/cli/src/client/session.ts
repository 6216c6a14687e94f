/** What a command needs of the node: calls that find or start it, and the two streams. */
import type { EventLine, WatchLine } from '@godwit/protocol/api'
import { dataDirFrom } from '../dataDir.js'
import { CliFailure } from '../failure.js'
import type { CliIo } from '../io.js'
import { cliVersion } from '../version.js'
import { follow } from './follow.js'
import type { NodeClient } from './nodeClient.js'
import { failureIn, isConnectionLost } from './nodeClient.js'
import type { OpenNode } from './openNode.js'
import { findNode, openNode } from './openNode.js'
import { programs } from './programs.js'

export interface Session {
  readonly dataDir: string
  /** The node, started where none runs. */
  open(): Promise<OpenNode>
  /** The node that runs; ERR_NODE_NOT_RUNNING else. */
  find(): Promise<OpenNode>
  /** Calls the node. A call that `isRepeatable` is made again, once, when the connection broke under it. */
  call<T>(run: (client: NodeClient) => Promise<T>, isRepeatable?: boolean): Promise<T>
  watch(transferId: string): AsyncGenerator<WatchLine>
  followEvents(transferId: string): AsyncGenerator<EventLine>
}

export const createSession = (io: CliIo): Session => {
  const dataDir = dataDirFrom(io.env, io.cwd)
  let opened: OpenNode | undefined
  let hasToldVersion = false

  const open = async (): Promise<OpenNode> => {
    const node = await openNode({ dataDir, env: io.env, supervisor: programs.supervisor, signal: io.interrupt })
    opened = node
    const own = cliVersion()
    if (node.status.version !== own && !hasToldVersion) {
      hasToldVersion = true
      io.stderr.write(
        `godwit: The node that runs is version ${node.status.version}, this command is ${own}. godwit node stop ends it, the next command starts the new one.\n`,
      )
    }
    return node
  }
  const reopen = async (): Promise<NodeClient> => (await open()).client

  return {
    dataDir,
    open,
    async find() {
      const found = await findNode(dataDir)
      if ('client' in found) return found
      throw found.failure ?? CliFailure.of({ code: 'ERR_NODE_NOT_RUNNING' })
    },
    async call(run, isRepeatable = true) {
      const { client } = opened ?? (await open())
      try {
        return await run(client)
      } catch (error) {
        const failure = failureIn(error)
        if (failure !== undefined) throw failure
        if (!isRepeatable || !isConnectionLost(error)) throw error
      }
      try {
        return await run(await reopen())
      } catch (error) {
        throw failureIn(error) ?? error
      }
    },
    watch: (transferId) =>
      follow<WatchLine>({
        open: reopen,
        subscribe: (client, lastEventId, handlers) =>
          client.transfers.watch.subscribe(
            { transferId, ...(lastEventId === undefined ? {} : { lastEventId }) },
            handlers,
          ),
        isLast: ({ type }) => type === 'transfer.completed' || type === 'transfer.failed',
        signal: io.interrupt,
      }),
    followEvents: (transferId) =>
      follow<EventLine>({
        open: reopen,
        subscribe: (client, lastEventId, handlers) =>
          client.transfers.followEvents.subscribe(
            { transferId, ...(lastEventId === undefined ? {} : { lastEventId }) },
            handlers,
          ),
        isLast: () => false,
        signal: io.interrupt,
      }),
  }
}
