/**
 * The receiver's way to a session: begins a handshake, by the code the first time and by the stored secret afterwards,
 * and begins another one until the two sides are together. What the keys are used for is the caller's.
 */

import { PairingInitiator } from '@godwit/engine/handshake/pairingInitiator'
import { ResumeInitiator } from '@godwit/engine/handshake/resumeInitiator'
import { confirmUse, type ResumptionSecrets } from '@godwit/engine/handshake/resumption'
import type { HandshakeContext, HandshakeStep, Pairing, SessionKeys } from '@godwit/engine/handshake/types'
import { isWakeFor } from '@godwit/engine/handshake/wake'
import type { CandidatePolicy } from '@godwit/protocol/candidates'
import type { Failure } from '@godwit/protocol/errors'
import { EXPOSED_HANDSHAKES_MAX } from '@godwit/protocol/limits'
import type { SignedWake } from '@godwit/protocol/wakeMessage'
import { ownPacketCiphers } from '../crypto/packetCiphers.js'
import { crashPoint } from '../lifecycle/crashPoint.js'
import { hasResumption, NO_SECRETS, resumptionOf, withResumption } from '../secrets/transferSecrets.js'
import type { PeerSession } from './peerSession.js'
import type { RunContext } from './runContext.js'

/**
 * Milliseconds without an answer after which the next handshake begins. Somebody who is there answers the first message
 * of a resumption at once; stretching the words, and finding out how a socket is seen from outside, take seconds.
 */
const FIRST_ANSWER_MS = { pairing: 10_000, resuming: 4000 } as const
const NEXT_ANSWER_MS = 10_000
/** Milliseconds after which a session counts as one that worked. */
const STEADY_MS = 5000
/** Milliseconds before an attempt: the first at once, then growing. */
const ATTEMPT_DELAYS_MS = [0, 100, 300, 1000, 2000] as const

type Machine = PairingInitiator | ResumeInitiator

export interface ReceiverConnectorOptions {
  readonly context: Pick<RunContext, 'crypto' | 'deviceName' | 'secrets'>
  readonly transferId: string
  /** Our id in the room. */
  readonly receiver: () => string
  /** Which addresses of the other side may be tried. */
  readonly candidatePolicy: CandidatePolicy
  /** Binds the socket of a handshake and gathers its candidates; undefined when that is not possible now. */
  readonly openSession: () => Promise<PeerSession | undefined>
  readonly post: (message: Uint8Array) => Promise<void>
  /** Whether a session is of use now: not while the user is asked, nor after the end. */
  readonly isWanted: () => Promise<boolean>
  /** The transfer cannot go on. */
  readonly fail: (failure: Failure) => Promise<void>
  /** Runs a task in the order of the transfer. */
  readonly spawn: (task: () => Promise<void>) => void
  /** The sender proved that it knows the code. */
  readonly onPaired: (pairing: Pairing) => Promise<void>
  /** The secrets are stored: the session may start. */
  readonly onKeys: (keys: SessionKeys, session: PeerSession) => Promise<void>
}

export class ReceiverConnector {
  readonly #options: ReceiverConnectorOptions
  #resumption: ResumptionSecrets | null = null
  #machine: Machine | undefined
  /** The socket whose candidates the handshake under way tells. */
  #prepared: PeerSession | undefined
  #attempts = 0
  /** When the keys of the last session were agreed on; infinite when that has been taken into account. */
  #agreedAt = Number.POSITIVE_INFINITY
  #timer: NodeJS.Timeout | undefined
  /** The answer that is waited for: told apart from earlier ones, whose time-out may be in line already. */
  #awaited: object | undefined
  #isStopped = false

  constructor(options: ReceiverConnectorOptions) {
    this.#options = options
  }

  /** Whether the two sides have paired before: then the code is not needed any more. */
  async hasPaired(): Promise<boolean> {
    const { context, transferId, receiver } = this.#options
    return hasResumption(await context.secrets.read(transferId), receiver())
  }

  /** Whether a wake comes from the sender, and means the session that there is. */
  async believes(wake: SignedWake | null): Promise<boolean> {
    const { context, transferId, receiver } = this.#options
    const secrets = await context.secrets.read(transferId)
    if (!secrets.ok) return false
    const resumption = resumptionOf(secrets.value ?? NO_SECRETS, receiver())
    return isWakeFor(context.crypto, resumption?.current ?? null, wake)
  }

  /** Sees to it that an attempt is under way or due. */
  connect(): void {
    if (this.#isStopped || this.#machine !== undefined || this.#timer !== undefined) return
    // After a session that lasted the next one is begun at once; those that break again and again get their pauses.
    if (performance.now() - this.#agreedAt > STEADY_MS) this.#attempts = 0
    this.#agreedAt = Number.POSITIVE_INFINITY
    const delay = ATTEMPT_DELAYS_MS[Math.min(this.#attempts, ATTEMPT_DELAYS_MS.length - 1)] ?? 0
    this.#attempts += 1
    this.#after(delay, () => this.#attempt())
  }

  /** The other side is there again, and knows nothing of an attempt under way: begins another one at once. */
  restart(): void {
    this.cancel()
    this.connect()
  }

  async onMessage(message: Uint8Array): Promise<void> {
    const machine = this.#machine
    if (machine === undefined) return
    const step = await machine.handle(message)
    if (this.#machine === machine) await this.#onStep(step)
  }

  /** The first authentic datagram came: the sender has stored the new secret too, and the old one goes. */
  async confirmUse(): Promise<void> {
    if (this.#resumption !== null) await this.#store(confirmUse(this.#resumption))
  }

  /** Gives up the attempt under way; `connect` begins another, at once. */
  cancel(): void {
    this.#attempts = 0
    this.#drop()
  }

  stop(): void {
    this.#isStopped = true
    this.cancel()
  }

  #after(ms: number, task: () => Promise<void>): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#options.spawn(task)
    }, ms)
  }

  async #attempt(): Promise<void> {
    try {
      await this.#begin()
    } catch (error) {
      // The log or the disk refused: they may not the next time.
      this.#tryAgain()
      throw error
    }
  }

  async #begin(): Promise<void> {
    const { context, transferId, receiver, isWanted, fail, post } = this.#options
    if (this.#isStopped || this.#machine !== undefined || !(await isWanted())) return
    const read = await context.secrets.read(transferId)
    if (!read.ok) return fail(read.failure)
    const secrets = read.value ?? NO_SECRETS
    this.#resumption = resumptionOf(secrets, receiver())
    if (this.#resumption === null && secrets.passphrase === null) return fail({ code: 'ERR_RESUME_REFUSED' })
    if (this.#resumption === null && secrets.exposedHandshakes >= EXPOSED_HANDSHAKES_MAX) {
      return fail({ code: 'ERR_WRONG_CODE', detail: 'the other side did not prove that it knows the code' })
    }
    const machine =
      this.#resumption !== null
        ? new ResumeInitiator(this.#handshakeContext(), this.#resumption.current)
        : new PairingInitiator(this.#handshakeContext(), secrets.passphrase?.text.bytes() ?? new Uint8Array())
    this.#machine = machine
    this.#awaitAnswer(FIRST_ANSWER_MS[this.#resumption === null ? 'pairing' : 'resuming'])
    await post(machine.start())
  }

  #awaitAnswer(ms: number): void {
    const awaited = {}
    this.#awaited = awaited
    clearTimeout(this.#timer)
    this.#after(ms, async () => {
      if (this.#machine !== undefined && this.#awaited === awaited) this.#tryAgain()
    })
  }

  #handshakeContext(): HandshakeContext {
    const { context, candidatePolicy, openSession } = this.#options
    const { crypto, deviceName } = context
    return {
      crypto,
      deviceName,
      packetCiphers: ownPacketCiphers(),
      candidatePolicy,
      localCandidates: async () => {
        this.#prepared?.close('done')
        this.#prepared = undefined
        this.#prepared = await openSession()
        return this.#prepared?.candidates ?? []
      },
    }
  }

  async #onStep(step: HandshakeStep): Promise<void> {
    const { post, fail, onPaired } = this.#options
    switch (step.kind) {
      case 'ignored':
        return
      case 'send':
        if (step.exposesGuess && !(await this.#countExposure())) return
        await post(step.message)
        // From now: getting here may have taken longer than the first answer may.
        this.#awaitAnswer(NEXT_ANSWER_MS)
        return
      case 'paired':
        if (!(await this.#store(step.pairing.resumption))) return
        await onPaired(step.pairing)
        await this.#start(step.pairing)
        return
      case 'resumed':
        if (!(await this.#store(step.session.resumption))) return
        await this.#start(step.session)
        return
      case 'failed':
        if (step.failure.code === 'ERR_WRONG_CODE' || step.failure.code === 'ERR_VERSION_UNSUPPORTED') {
          this.cancel()
          return fail(step.failure)
        }
        this.#tryAgain()
        return
    }
  }

  /** An attempt led to nothing: another one, each a little later than the one before. */
  #tryAgain(): void {
    this.#drop()
    this.connect()
  }

  #drop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#machine = undefined
    this.#prepared?.close('done')
    this.#prepared = undefined
  }

  async #start(keys: SessionKeys): Promise<void> {
    const session = this.#prepared
    this.#prepared = undefined
    this.#agreedAt = performance.now()
    this.#drop()
    if (session !== undefined) await this.#options.onKeys(keys, session)
    else this.connect()
  }

  /** On disk before it is posted: with our confirmation whoever answers may test one guess. False: it may not leave. */
  async #countExposure(): Promise<boolean> {
    const { context, transferId, fail } = this.#options
    const counted = await context.secrets.update(transferId, (secrets) => {
      const before = secrets ?? NO_SECRETS
      return { ...before, exposedHandshakes: before.exposedHandshakes + 1 }
    })
    if (counted.ok) return true
    this.cancel()
    await fail(counted.failure)
    return false
  }

  /** With the first resumption secret the words are not needed any more. */
  async #store(resumption: ResumptionSecrets): Promise<boolean> {
    const { context, transferId, receiver, fail } = this.#options
    const stored = await context.secrets.update(transferId, (secrets) => ({
      ...withResumption(secrets ?? NO_SECRETS, receiver(), resumption),
      passphrase: null,
      exposedHandshakes: 0,
    }))
    this.#resumption = resumption
    crashPoint('resumptionStored')
    if (!stored.ok) await fail(stored.failure)
    return stored.ok
  }
}
