/**
 * The phases in which a BBR flow spends its life (ProbeBW, draft-ietf-ccwg-bbr §5.3.3): DOWN drains what the last probe
 * queued, CRUISE keeps the rate, REFILL fills the pipe for one round, UP sends faster to see whether more is delivered.
 * The volume that a probe found to be too much bounds the later ones, and rises slowly again while they go well.
 */
import type { BbrFullPipe } from './bbrFullPipe.js'
import type { BbrModel } from './bbrModel.js'
import { BETA, CRUISE_SETTLE_ROUNDS, DOWN_MAX_ROUNDS } from './bbrParameters.js'
import type { BbrProbeClock } from './bbrProbeClock.js'
import type { AckSample } from './controller.js'

export type ProbePhase = 'down' | 'cruise' | 'refill' | 'up'

/** What the acknowledgements that come in now say of the last probe. */
type AckPhase = 'none' | 'refilling' | 'starting' | 'feedback' | 'stopping'

/**
 * Packets by which the bound rises in the first round of a probe: this part of the window, and no more than so many.
 * Twice as many in each later one.
 */
const GROWTH_WINDOW_PART = 16
const GROWTH_FIRST_MAX_PACKETS = 64
const GROWTH_MAX_PACKETS = 2 ** 30

export class BbrBandwidthProbe {
  readonly #model: BbrModel
  readonly #fullPipe: BbrFullPipe
  readonly #clock: BbrProbeClock
  #ackPhase: AckPhase = 'none'
  #wasTooHigh = false
  #wasPrecautionary = false
  #phaseRound = 0
  #growthPackets = 1
  #growthAckedBytes = 0
  #ackedPerGrowthBytes = Number.POSITIVE_INFINITY

  phase: ProbePhase = 'down'
  /** Whether what is acknowledged or lost now was sent by a probe that was not yet found too high. */
  isSample = false

  constructor(model: BbrModel, fullPipe: BbrFullPipe, clock: BbrProbeClock) {
    this.#model = model
    this.#fullPipe = fullPipe
    this.#clock = clock
  }

  /**
   * Whether a queue stands that keeping to the estimate does not drain: others send too, and the estimate is of what the
   * path gave while the flow pushed.
   */
  get isFollowing(): boolean {
    const isSettled = this.phase === 'cruise' && this.#model.rounds.count > this.#phaseRound + CRUISE_SETTLE_ROUNDS
    return isSettled && this.#model.isQueueStanding
  }

  startDown(nowUs: number): void {
    this.#model.loss.restart()
    this.#ackedPerGrowthBytes = Number.POSITIVE_INFINITY
    this.#clock.restart(nowUs, this.#wasTooHigh)
    this.stopSampling()
    this.#phaseRound = this.#model.rounds.count
    this.phase = 'down'
  }

  startCruise(): void {
    this.#phaseRound = this.#model.rounds.count
    this.phase = 'cruise'
  }

  /** Forgets what losses outside of probes said, and fills the pipe before more is tried. */
  startRefill(): void {
    this.#model.forgetShortTerm()
    this.#growthAckedBytes = 0
    this.#wasPrecautionary = false
    this.#ackPhase = 'refilling'
    this.#startRound()
    this.phase = 'refill'
  }

  /** The packets of a probe are followed by others: the answers that still come are its last ones. */
  stopSampling(): void {
    this.#ackPhase = 'stopping'
    this.#startRound()
  }

  /**
   * One ACK, in any state once the pipe was full.
   *
   * @param isActive - whether the flow is in one of these phases, rather than draining or probing the round trip.
   */
  onAck(sample: AckSample, cwndBytes: number, isCwndLimited: boolean, isActive: boolean): void {
    const { isStart } = this.#model.rounds
    if (isStart) this.#clock.onRoundStart()
    if (this.#adaptLongTerm(sample, cwndBytes, isCwndLimited, isActive) || !isActive) return
    const { nowUs, inFlightBytes } = sample
    switch (this.phase) {
      case 'down':
        if (!this.#refillWhenDue(nowUs, cwndBytes) && this.#isDrained(inFlightBytes)) this.startCruise()
        return
      case 'cruise':
        this.#refillWhenDue(nowUs, cwndBytes)
        return
      case 'refill':
        if (isStart) this.#startUp(cwndBytes)
        return
      case 'up':
        if (!this.#isOver(inFlightBytes, cwndBytes, isCwndLimited)) return
        this.#wasTooHigh = false
        this.startDown(nowUs)
    }
  }

  /**
   * Losses say that a probe had too much in flight; once for each probe.
   *
   * @param inFlightBytes - what was in flight when they became too many.
   */
  onTooHigh(nowUs: number, inFlightBytes: number, isAppLimited: boolean, cwndBytes: number, isActive: boolean): void {
    this.#wasTooHigh = true
    this.isSample = false
    if (!isAppLimited) {
      const target = Math.min(this.#model.bdpBytes, cwndBytes)
      this.#model.inflightLongtermBytes = Math.max(inFlightBytes, target * BETA)
    }
    if (isActive && this.phase === 'up') this.startDown(nowUs)
  }

  reset(): void {
    this.#ackPhase = 'none'
    this.#wasTooHigh = false
    this.#wasPrecautionary = false
    this.#ackedPerGrowthBytes = Number.POSITIVE_INFINITY
    this.phase = 'down'
    this.isSample = false
  }

  #startUp(cwndBytes: number): void {
    this.isSample = true
    this.#ackPhase = 'starting'
    this.#startRound()
    this.#fullPipe.restart(this.#model.sampleRate)
    this.phase = 'up'
    const packets = Math.floor(cwndBytes / this.#model.datagramBytes / GROWTH_WINDOW_PART)
    this.#growthPackets = Math.max(1, Math.min(packets, GROWTH_FIRST_MAX_PACKETS))
    this.#raiseGrowth(cwndBytes)
  }

  #startRound(): void {
    this.#model.rounds.start(this.#model.deliveredBytes)
  }

  #refillWhenDue(nowUs: number, cwndBytes: number): boolean {
    const packets = Math.min(this.#model.bdpBytes, cwndBytes) / this.#model.datagramBytes
    if (!this.#clock.isDue(nowUs, packets, this.#model.isQueueStanding)) return false
    this.startRefill()
    return true
  }

  /** Whether the queue is gone and room is left for others; or stands for so long that it is not the flow's own alone. */
  #isDrained(inFlightBytes: number): boolean {
    if (this.#model.rounds.count > this.#phaseRound + DOWN_MAX_ROUNDS) return true
    return inFlightBytes <= Math.min(this.#model.inflightWithHeadroomBytes, this.#model.inflightBytes(1))
  }

  /** Whether the probe has shown what it can. */
  #isOver(inFlightBytes: number, cwndBytes: number, isCwndLimited: boolean): boolean {
    const longterm = this.#model.inflightLongtermBytes
    if (this.#wasTooHigh && inFlightBytes >= longterm) {
      // So much was too much last time: no further before the losses of this time are known.
      this.#wasPrecautionary = true
      return true
    }
    if (isCwndLimited && cwndBytes >= longterm) {
      // The bound held it back, not the path.
      this.#fullPipe.restart(this.#model.sampleRate)
      return false
    }
    return this.#fullPipe.isFullNow
  }

  /** Follows the answers to a probe; true when it has begun another phase. */
  #adaptLongTerm(sample: AckSample, cwndBytes: number, isCwndLimited: boolean, isActive: boolean): boolean {
    const { isStart } = this.#model.rounds
    if (this.#ackPhase === 'starting' && isStart) this.#ackPhase = 'feedback'
    if (this.#ackPhase === 'stopping' && isStart) {
      this.isSample = false
      this.#ackPhase = 'none'
      if (isActive && !sample.isAppLimited) this.#model.advanceCycle()
      if (isActive && this.#wasPrecautionary && !this.#wasTooHigh) {
        // It went well up to what was too much before: once more, and further.
        this.startRefill()
        return true
      }
    }
    const model = this.#model
    if (model.inflightLongtermBytes === Number.POSITIVE_INFINITY) return false
    if (model.isTooHigh(sample.lostSinceSentBytes, sample.sentInFlightBytes)) return false
    model.inflightLongtermBytes = Math.max(model.inflightLongtermBytes, sample.sentInFlightBytes)
    if (isActive && this.phase === 'up') this.#growLongTerm(sample.ackedBytes, cwndBytes, isCwndLimited)
    return false
  }

  /**
   * The bound rises faster with each round while it is what holds the probe back. The draft begins with one packet, and
   * two flows with different bounds then take minutes to meet.
   */
  #growLongTerm(ackedBytes: number, cwndBytes: number, isCwndLimited: boolean): void {
    const model = this.#model
    if (!isCwndLimited || cwndBytes < model.inflightLongtermBytes) return
    this.#growthAckedBytes += ackedBytes
    const steps = Math.floor(this.#growthAckedBytes / this.#ackedPerGrowthBytes)
    if (steps > 0) {
      this.#growthAckedBytes -= steps * this.#ackedPerGrowthBytes
      model.inflightLongtermBytes += steps * model.datagramBytes
    }
    if (model.rounds.isStart) this.#raiseGrowth(cwndBytes)
  }

  #raiseGrowth(cwndBytes: number): void {
    this.#ackedPerGrowthBytes = Math.max(cwndBytes / this.#growthPackets, this.#model.datagramBytes)
    this.#growthPackets = Math.min(2 * this.#growthPackets, GROWTH_MAX_PACKETS)
  }
}
