/**
 * The sender's part of one receiver's way to a session: answers its handshakes, by the code the first time and by the
 * stored secret afterwards, and asks it to come where there is no session. What the keys are used for is the caller's.
 */

import { receiverOf } from '@godwit/engine/domain/transfer/state'
import { MailboxResponder } from '@godwit/engine/handshake/mailboxResponder'
import type { RoomIdentity } from '@godwit/engine/handshake/pairingResponder'
import { confirmUse, type ResumptionSecrets } from '@godwit/engine/handshake/resumption'
import type { HandshakeStep, SessionKeys } from '@godwit/engine/handshake/types'
import { wakesFor } from '@godwit/engine/handshake/wake'
import { ERRORS } from '@godwit/protocol/errors'
import { HANDSHAKE_TIMEOUT_MS, RECEIVER_WORDS_MAX } from '@godwit/protocol/limits'
import type { RoomCommandInput } from '@godwit/protocol/rendezvousApi'
import { ownPacketCiphers } from '../crypto/packetCiphers.js'
import { crashPoint } from '../lifecycle/crashPoint.js'
import { hasResumption, NO_SECRETS, resumptionOf, withResumption } from '../secrets/transferSecrets.js'
import { describe } from '../transfers/transferLog.js'
import { candidatePolicyOf, openPeerSession, type PeerSession } from './peerSession.js'
import type { Execute, Rendezvous, RunContext } from './runContext.js'
import type { SenderRoom } from './senderRoom.js'
import { guessesMax } from './senderRoomLink.js'

export interface SenderConnectorOptions {
  readonly context: RunContext
  readonly transferId: string
  readonly receiver: string
  readonly room: SenderRoom
  readonly client: () => Rendezvous | undefined
  /** Leaves a message for the receiver; one that gets lost costs a handshake. Never rejects. */
  readonly post: (message: Uint8Array) => Promise<void>
  readonly command: (command: RoomCommandInput['command']) => void
  readonly execute: Execute
  /** Runs a task in the order of the transfer. */
  readonly spawn: (task: () => Promise<void>) => void
  /** The secrets are stored: the session may start. */
  readonly onKeys: (keys: SessionKeys, session: PeerSession) => Promise<void>
}

export class SenderConnector {
  readonly #options: SenderConnectorOptions
  readonly #responder: MailboxResponder
  #room: RoomIdentity | null = null
  #resumption: ResumptionSecrets | null = null
  /** The socket of a handshake under way, until its keys are there. */
  #prepared: PeerSession | undefined
  /** The run under way and the end of its time. */
  #runId: string | null = null
  #runTimer: NodeJS.Timeout | undefined

  constructor(options: SenderConnectorOptions) {
    this.#options = options
    const { context } = options
    this.#responder = new MailboxResponder({
      context: {
        crypto: context.crypto,
        deviceName: context.deviceName,
        packetCiphers: ownPacketCiphers(),
        candidatePolicy: candidatePolicyOf(context.listenHost),
        localCandidates: () => this.#prepare(),
      },
      room: () => this.#room,
      resumption: () => this.#resumption,
    })
  }

  /** Whether the two sides have paired before. */
  async hasPaired(): Promise<boolean> {
    const { context, transferId, receiver } = this.#options
    return hasResumption(await context.secrets.read(transferId), receiver)
  }

  /** Asks the receiver to come for a session. Resolves when that was left for it, or could not be. */
  async wake(): Promise<void> {
    const { context, transferId, receiver, post } = this.#options
    const secrets = await context.secrets.read(transferId)
    if (!secrets.ok || secrets.value === null) return
    await Promise.all(wakesFor(context.crypto, resumptionOf(secrets.value, receiver)).map(post))
  }

  async onMessage(message: Uint8Array): Promise<void> {
    if (!(await this.#load())) return
    const step = await this.#responder.handle(message)
    await this.#onStep(step)
  }

  /** The first authentic datagram came: the receiver has stored the new secret too, and the old one goes. */
  async confirmUse(): Promise<void> {
    if (this.#resumption !== null) await this.#store(confirmUse(this.#resumption))
  }

  /** Gives up the handshake under way. */
  cancel(): void {
    clearTimeout(this.#runTimer)
    this.#runId = null
    this.#responder.end()
    this.#prepared?.close('done')
    this.#prepared = undefined
  }

  /** What the handshake needs: read anew for each message, since it may have changed; false when it may not go on. */
  async #load(): Promise<boolean> {
    const { context, transferId, receiver, room } = this.#options
    const projection = await context.log.read(transferId)
    const isThere = projection !== undefined && context.records.get(transferId) !== undefined
    if (!isThere || projection.transfer.status === 'none') return false
    const { transfer } = projection
    const known = receiverOf(transfer.run, receiver)
    if (known === undefined || transfer.status === 'cancelled' || transfer.status === 'paused') return false
    if (transfer.status === 'failed' && !ERRORS[transfer.code].isRetryable) return false
    const read = await context.secrets.read(transferId)
    if (!read.ok || read.value === null) return false
    const secrets = read.value
    this.#resumption = resumptionOf(secrets, receiver)
    const isLocked = transfer.run.room?.isLocked ?? false
    if (isLocked) room.close()
    const mayPair = transfer.status === 'active' && known.phase.is === 'admitted' && !isLocked
    this.#room = mayPair ? room.identity(secrets) : null
    return true
  }

  async #onStep(step: HandshakeStep): Promise<void> {
    const { execute, post, receiver } = this.#options
    switch (step.kind) {
      case 'ignored':
        return
      case 'send':
        this.#timeRun()
        void post(step.message)
        return
      case 'paired':
        if (!(await this.#store(step.pairing.resumption))) return
        this.#keepWords(step.pairing.verification)
        await execute({ type: 'pair', receiver, name: step.pairing.peer.deviceName })
        // Before the message: when the receiver gets it and probes, our NAT is open for it.
        await this.#start(step.pairing)
        if (step.message !== null) void post(step.message)
        return
      case 'resumed':
        if (!(await this.#store(step.session.resumption))) return
        // A receiver that tries again takes a failed transfer up with it.
        await this.#takeUp()
        await this.#start(step.session)
        if (step.message !== null) void post(step.message)
        return
      case 'failed':
        this.cancel()
        if (step.message !== null) void post(step.message)
        if (step.countsAsGuess) await this.#countGuess()
        return
    }
  }

  /** The words that the receiver is shown, for whoever is asked for them on this side. */
  #keepWords(words: string): void {
    const { context, transferId, receiver } = this.#options
    const before = Object.entries(context.records.get(transferId)?.receiverWords ?? {})
    const kept = before.filter(([id]) => id !== receiver).slice(-(RECEIVER_WORDS_MAX - 1))
    context.records.update(transferId, { receiverWords: Object.fromEntries([...kept, [receiver, words]]) })
  }

  /** A handshake has HANDSHAKE_TIMEOUT_MS from its first message to its last. */
  #timeRun(): void {
    const { runId } = this.#responder
    if (runId === this.#runId) return
    this.#runId = runId
    clearTimeout(this.#runTimer)
    const endRun = async (): Promise<void> => {
      if (this.#runId === runId) this.cancel()
    }
    this.#runTimer = setTimeout(() => this.#options.spawn(endRun), HANDSHAKE_TIMEOUT_MS)
  }

  async #start(keys: SessionKeys): Promise<void> {
    const session = this.#prepared
    this.#prepared = undefined
    this.cancel()
    if (session !== undefined) await this.#options.onKeys(keys, session)
  }

  async #takeUp(): Promise<void> {
    const { context, transferId, execute } = this.#options
    const projection = await context.log.read(transferId)
    if (projection?.transfer.status === 'failed') await execute({ type: 'retry', by: 'peer' })
  }

  /** Recorded first; the room's worker tells the rendezvous. */
  async #countGuess(): Promise<void> {
    const { context, transferId, receiver, execute, command } = this.#options
    const record = context.records.get(transferId)
    if (record === undefined) return
    const events = await context.log.events.read(transferId)
    // The record counts too: a log that is built again gives no guesses back.
    const failed = Math.max(record.guessesFailed, events.filter(({ type }) => type === 'GuessFailed').length)
    context.records.update(transferId, { guessesFailed: failed + 1 })
    const guessesLeft = Math.max(0, guessesMax(record) - failed - 1)
    await execute({ type: 'guessFailed', receiver, guessesLeft })
    command({ type: 'guessFailed', receiver })
  }

  async #store(resumption: ResumptionSecrets): Promise<boolean> {
    const { context, transferId, receiver } = this.#options
    const stored = await context.secrets.update(transferId, (secrets) =>
      withResumption(secrets ?? NO_SECRETS, receiver, resumption),
    )
    this.#resumption = resumption
    crashPoint('resumptionStored')
    if (!stored.ok) context.logger.error({ transferId }, describe(stored.failure))
    return stored.ok
  }

  async #prepare(): Promise<PeerSession['candidates']> {
    const { context, transferId, client } = this.#options
    this.#prepared?.close('done')
    this.#prepared = undefined
    this.#prepared = await openPeerSession(context, transferId, client())
    return this.#prepared?.candidates ?? []
  }
}
