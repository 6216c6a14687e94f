/**
 * Whatever a sender and a receiver go through, once everything is there again they come to the end by themselves: random
 * pauses, crashes, broken sessions, a log that refuses and a rendezvous that is away, in any order. Files and crypto are
 * real, so a seed brings back what happens, not to the microsecond when.
 */
import fc from 'fast-check'
import { test } from 'vitest'
import type { MemoryEnd, MemorySession } from './testing/memorySessions.js'
import { RunWorld, type TestTransfer } from './testing/runWorld.js'

const CHUNKS = 4
const by = 'user'
/** Milliseconds for what comes after everything is there again: handshakes wait for answers that never come. */
const ARRIVAL_MS = 20_000
/** Rounds of the event loop after which time has gone by. */
const TURNS_OF_A_WHILE = 1000

type Side = 'sender' | 'receiver'
type Fate =
  | { readonly is: 'pause' | 'resume' | 'kill' | 'start' | 'slice'; readonly side: Side }
  | { readonly is: 'refuse' | 'take'; readonly side: Side }
  | { readonly is: 'cut' | 'away' | 'back' | 'block' | 'unblock' | 'noPath' }
  | { readonly is: 'checkpoint'; readonly chunk: number }
  | { readonly is: 'wait'; readonly turns: number }

const side = fc.constantFrom<Side>('sender', 'receiver')
const fate: fc.Arbitrary<Fate> = fc.oneof(
  fc.record({ is: fc.constantFrom('pause' as const, 'resume' as const, 'kill' as const, 'start' as const), side }),
  fc.record({ is: fc.constantFrom('slice' as const, 'refuse' as const, 'take' as const), side }),
  fc.record({
    is: fc.constantFrom(
      'cut' as const,
      'away' as const,
      'back' as const,
      'block' as const,
      'unblock' as const,
      'noPath' as const,
    ),
  }),
  fc.record({ is: fc.constant('checkpoint' as const), chunk: fc.nat(CHUNKS - 1) }),
  fc.record({ is: fc.constant('wait' as const), turns: fc.nat(300) }),
)

class Journey {
  readonly world: RunWorld
  readonly transfers: Readonly<Record<Side, TestTransfer>>
  readonly dead = new Set<Side>()
  #wereLonely: ReadonlySet<MemoryEnd> = new Set()

  constructor(world: RunWorld, transfers: Readonly<Record<Side, TestTransfer>>) {
    this.world = world
    this.transfers = transfers
  }

  get #last(): MemorySession | undefined {
    return this.world.network.sessions.at(-1)
  }

  async isUnderWay(): Promise<void> {
    const session = await this.world.network.session(1)
    await this.world.network.commanded(session.receiver, 'begin')
  }

  async meet(what: Fate): Promise<void> {
    const { rooms, network } = this.world
    switch (what.is) {
      case 'pause':
        if (!this.dead.has(what.side)) await this.#command(what.side, { type: 'pause', reason: 'user', by })
        return
      case 'resume':
        if (!this.dead.has(what.side)) await this.#command(what.side, { type: 'resume', by })
        return
      case 'kill':
        this.transfers[what.side].node.kill()
        this.dead.add(what.side)
        return
      case 'start':
        await this.#start(what.side)
        return
      case 'slice':
        if (!this.dead.has(what.side)) await this.transfers[what.side].node.slice().catch(() => undefined)
        return
      case 'refuse':
        this.transfers[what.side].node.events.refusal = new Error('OOM command not allowed')
        return
      case 'take':
        this.transfers[what.side].node.events.refusal = undefined
        return
      case 'cut':
        if (this.#last !== undefined) network.cut(this.#last)
        return
      case 'away':
        rooms.isReachable = false
        return
      case 'back':
        rooms.isReachable = true
        return
      case 'block':
        network.isBlocked = true
        return
      case 'unblock':
        network.isBlocked = false
        return
      case 'noPath':
        for (const end of network.lonely) end.end('noPath', null)
        return
      case 'checkpoint': {
        const session = this.#last
        if (session !== undefined && network.hasBegun(session)) network.checkpoint(session, [[what.chunk, 1]])
        return
      }
      case 'wait':
        for (let turn = 0; turn < what.turns; turn++) await this.world.changed()
        return
    }
  }

  /** Everything is there again; whoever has failed because of it tries again. */
  async heal(): Promise<void> {
    const { rooms, network } = this.world
    rooms.isReachable = true
    network.isBlocked = false
    for (const transfer of Object.values(this.transfers)) transfer.node.events.refusal = undefined
    // Sessions of dead nodes are lost in the end.
    for (const session of network.sessions) {
      if (session.sender.isDead || session.receiver.isDead) network.cut(session)
    }
    for (const one of ['sender', 'receiver'] as const) await this.#start(one)
    for (const one of ['sender', 'receiver'] as const) {
      await this.#command(one, { type: 'resume', by })
      await this.#command(one, { type: 'retry', by })
    }
  }

  /** Lets whatever session stands carry everything, until both sides know. */
  async arrive(): Promise<void> {
    const { network } = this.world
    const carried = new Set<MemorySession>()
    const isDone = (one: Side): boolean => this.transfers[one].node.records.get(this.transfers[one].id)?.ended !== null
    const endsAt = performance.now() + ARRIVAL_MS
    for (let turn = 0; !isDone('sender') || !isDone('receiver'); turn++) {
      if (performance.now() > endsAt) throw new Error(await this.#whereItStands())
      for (const session of network.sessions) {
        if (carried.has(session) || !network.hasBegun(session)) continue
        carried.add(session)
        network.finalize(session)
      }
      if (turn % TURNS_OF_A_WHILE === TURNS_OF_A_WHILE - 1) await this.#afterAWhile()
      await this.world.changed()
    }
  }

  async #whereItStands(): Promise<string> {
    const lines = await Promise.all(
      Object.entries(this.transfers).map(async ([one, transfer]) => {
        const { transfer: state } = await transfer.projection()
        const status = state.status === 'failed' ? `failed with ${state.code} ${state.detail}` : state.status
        const types = (await transfer.types()).slice(-12).join(' ')
        return `${one} ${status}, errors ${transfer.node.errors.join(' ')}: … ${types}`
      }),
    )
    const sessions = this.world.network.sessions.map(
      ({ sender, receiver }) =>
        `${sender.isEnded}/${sender.commands.join(',')} ${receiver.isEnded}/${receiver.commands.join(',')}`,
    )
    return ['they did not come to the end', ...lines, ...sessions].join('\n')
  }

  /** What happens by itself when time goes by, and what a user does who sees that a path was missing. */
  async #afterAWhile(): Promise<void> {
    const { lonely } = this.world.network
    for (const end of lonely) if (this.#wereLonely.has(end)) end.end('noPath', null)
    this.#wereLonely = new Set(lonely)
    for (const one of ['sender', 'receiver'] as const) {
      await this.transfers[one].node.slice()
      await this.#command(one, { type: 'retry', by })
    }
  }

  async #command(of: Side, command: Parameters<TestTransfer['execute']>[0]): Promise<void> {
    await this.transfers[of].execute(command).catch(() => undefined)
  }

  async #start(of: Side): Promise<void> {
    if (!this.dead.delete(of)) return
    const { node } = this.transfers[of]
    const { refusal } = node.events
    node.events.refusal = undefined
    await node.start()
    node.events.refusal = refusal
  }
}

test('both sides come to the end of a transfer, whatever happens to it in between', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fate, { maxLength: 25 }), async (fates) => {
      const world = await RunWorld.create()
      try {
        const journey = new Journey(world, await world.pair({ chunks: CHUNKS }))
        for (const one of fates) await journey.meet(one)
        await journey.heal()
        await journey.arrive()
      } finally {
        await world.dispose()
      }
    }),
    { numRuns: Number(process.env['GODWIT_TEST_RUNS'] ?? 15), interruptAfterTimeLimit: 150_000, endOnFailure: true },
  )
}, 200_000)
