/**
 * A node for tests of the command line: the node's real API server over a service in memory, with `node.json` and token
 * in a data directory, so that a command finds it as it finds any node.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { EnqueuedLine, TransferView, WatchLine } from '@godwit/protocol/api'
import type { Failure } from '@godwit/protocol/errors'

/** What the tests use of the node's fake service. */
export interface FakeService {
  readonly calls: readonly { readonly name: string; readonly input: unknown }[]
  enqueueFailure: Failure | undefined
  skipped: EnqueuedLine['skipped']
  version: string
  onEnqueued: (transferId: string) => void
  onShutdown: () => void
  /** Takes a transfer away, as `remove` does. */
  forget(transferId: string): void
  add(changes?: Partial<TransferView>): string
  pushLine(transferId: string, version: number, line: WatchLine): void
  pushProgress(transferId: string, version: number, bytesDone: number): void
  pushEvent(transferId: string, event: string, data?: Record<string, unknown>): void
}

interface ApiServer {
  start(): Promise<{ readonly url: string }>
  stop(): Promise<void>
}

interface NodeSources {
  createApiServer(options: { service: FakeService; token: string; version: string; page: object }): ApiServer
  FakeNodeService: new () => FakeService
}

/** The node's sources, by their path: an application has no way to import another one's code, and shall have none. */
const loadNodeSources = async (): Promise<NodeSources> => {
  const source = (path: string): Promise<object> =>
    import(/* @vite-ignore */ new URL(`../../../node/src/api/${path}`, import.meta.url).pathname)
  const loaded = { ...(await source('server.ts')), ...(await source('testing/fakeNodeService.ts')) }
  // What is loaded by its path has no type; the tests that use it fail when it is another one.
  return loaded as NodeSources
}

export interface FakeNode {
  readonly dataDir: string
  readonly service: FakeService
  /** The node comes up, or again: on a new port, with the same service. */
  start(): Promise<void>
  /** The node dies: its connections break; `node.json` stays, as after SIGKILL. */
  kill(): Promise<void>
  dispose(): Promise<void>
}

export const createFakeNode = async (version: string): Promise<FakeNode> => {
  const { createApiServer, FakeNodeService } = await loadNodeSources()
  const dataDir = mkdtempSync(join(tmpdir(), 'godwit-cli-'))
  const token = 't'.repeat(43)
  const service = new FakeNodeService()
  let server: ApiServer | undefined
  const kill = async (): Promise<void> => {
    const running = server
    server = undefined
    await running?.stop()
  }
  return {
    dataDir,
    service,
    async start() {
      // A page to sign in to; nothing is dropped on it here.
      const page = { files: new Map([['/index.html', { contentType: 'text/html', body: '' }]]), spool: undefined }
      server = createApiServer({ service, token, version, page })
      const { url } = await server.start()
      const file = { pid: process.pid, supervisorPid: null, url, version, startedAt: '2026-01-02T03:04:05.000Z' }
      writeFileSync(join(dataDir, 'token'), `${token}\n`, { mode: 0o600 })
      writeFileSync(join(dataDir, 'node.json'), JSON.stringify(file), { mode: 0o600 })
    },
    kill,
    async dispose() {
      await kill()
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}
