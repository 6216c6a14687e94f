/**
 * BBR in the shape of draft-ietf-ccwg-bbr (version 3): the sending rate follows the measured delivery rate, the volume in
 * flight the product of rate and smallest round trip; both are looked for by probing. The model of the path is in
 * `bbrModel.ts`, the probing for bandwidth in `bbrBandwidthProbe.ts`; here are startup, draining, the probing of the
 * round trip (§5.3) and the control parameters (§5.6).
 *
 * Where it deviates from the draft, and why: docs/adr/0004-bbr-by-default.md.
 */
import { BbrBandwidthProbe, type ProbePhase } from './bbrBandwidthProbe.js'
import { BbrFullPipe } from './bbrFullPipe.js'
import { BbrModel } from './bbrModel.js'
import {
  DEFAULT_CWND_GAIN,
  DOWN_PACING_GAIN,
  DRAIN_MAX_ROUNDS,
  DRAIN_PACING_GAIN,
  type LossTolerance,
  MAX_WINDOW_BYTES,
  PACING_MARGIN,
  PROBE_RTT_CWND_GAIN,
  PROBE_RTT_DURATION_US,
  SETTLED_CWND_GAIN,
  STARTUP_FULL_LOSS_RANGES,
  STARTUP_PACING_GAIN,
  UP_CWND_GAIN,
  UP_PACING_GAIN,
} from './bbrParameters.js'
import { BbrProbeClock } from './bbrProbeClock.js'
import type { AckSample, CongestionController, LossSample } from './controller.js'

export type BbrState = 'startup' | 'drain' | ProbePhase | 'probeRtt'

const PACING_GAINS: Readonly<Record<BbrState, number>> = {
  startup: STARTUP_PACING_GAIN,
  drain: DRAIN_PACING_GAIN,
  down: DOWN_PACING_GAIN,
  cruise: 1,
  refill: 1,
  up: UP_PACING_GAIN,
  probeRtt: 1,
}

const CWND_GAINS: Readonly<Record<BbrState, number>> = {
  startup: DEFAULT_CWND_GAIN,
  drain: DEFAULT_CWND_GAIN,
  down: SETTLED_CWND_GAIN,
  cruise: SETTLED_CWND_GAIN,
  refill: DEFAULT_CWND_GAIN,
  up: UP_CWND_GAIN,
  probeRtt: PROBE_RTT_CWND_GAIN,
}

export class Bbr implements CongestionController {
  readonly #fullPipe = new BbrFullPipe()
  readonly #model: BbrModel
  readonly #probe: BbrBandwidthProbe
  /** 'probing' stands for the phases of `#probe`. */
  #state: 'startup' | 'drain' | 'probing' | 'probeRtt' = 'startup'
  #cwndBytes = 0
  #pacingRate = 0
  #drainStartRound = 0
  #isIdleRestart = false

  /** Whether the window was used up in this round, and in this or the last one. */
  #isLimitedNow = false
  #isCwndLimited = false

  #priorCwndBytes = 0
  /** When the round trip was probed for long enough; 0 while the queue is still emptied. */
  #probeRttDoneUs = 0
  #isProbeRttRoundDone = false

  /** Losses of the episode under way that may still turn out to be none, and what they ended. */
  #unprovenPackets = 0
  #undoState: 'startup' | 'up' | undefined

  /**
   * @param chance - a random number in [0, 1), for the time between probes.
   * @param tolerance - how much loss is no sign of congestion.
   */
  constructor(datagramBytes: number, chance: () => number, tolerance: LossTolerance) {
    this.#model = new BbrModel(datagramBytes, tolerance)
    this.#probe = new BbrBandwidthProbe(this.#model, this.#fullPipe, new BbrProbeClock(chance))
    this.reset()
  }

  get cwndBytes(): number {
    return this.#cwndBytes
  }

  get state(): BbrState {
    return this.#state === 'probing' ? this.#probe.phase : this.#state
  }

  /** For tests and figures. */
  get model(): BbrModel {
    return this.#model
  }

  get isHoldingBack(): boolean {
    return this.#state === 'probeRtt'
  }

  pacingRate(smoothedRttUs: number): number {
    const rttUs = Math.max(smoothedRttUs, 1)
    // Startup begins at the first window's rate (§5.6.2), whatever the few packets of before there was data have shown.
    const initial = (STARTUP_PACING_GAIN * this.#model.initialWindowBytes * 1e6) / rttUs
    if (!this.#fullPipe.isReached) return Math.max(this.#pacingRate, initial)
    // The smallest window takes no longer than a round trip: a rate near 0 would never be measured to be wrong.
    return Math.max(this.#pacingRate, (this.#model.minimumBytes * 1e6) / rttUs)
  }

  onSent(nowUs: number, sizeBytes: number, inFlightBytes: number, isAppLimited: boolean): void {
    if (inFlightBytes + this.#model.datagramBytes > this.#cwndBytes) this.#isLimitedNow = true
    if (inFlightBytes > sizeBytes || !isAppLimited) return
    // Sending begins again: paced at the rate that is known, the pipe is full a round trip later (§5.4.1).
    this.#isIdleRestart = true
    this.#model.onIdleRestart(nowUs)
    if (this.#state === 'probing') this.#setPacingRate(1)
    else if (this.#state === 'probeRtt') this.#leaveProbeRttWhenDone(nowUs)
  }

  onAck(sample: AckSample): void {
    const model = this.#model
    model.onAck(sample, this.#cwndBytes, !this.#fullPipe.isReached)
    if (model.rounds.isStart) {
      this.#isCwndLimited = this.#isLimitedNow
      this.#isLimitedNow = false
    } else if (this.#isLimitedNow) {
      this.#isCwndLimited = true
    }
    this.#followLosses()
    const isFollowing = this.#state === 'probing' && this.#probe.isFollowing && !sample.isAppLimited
    if (isFollowing && model.rounds.isStart) model.followDelivery()
    if (!sample.isAppLimited) this.#fullPipe.onSample(model.sampleRate, model.rounds.isStart)
    if (this.#state === 'startup' && this.#fullPipe.isReached) this.#startDrain()
    if (this.#state === 'drain' && this.#isDrained(sample.inFlightBytes)) this.#startProbing(sample.nowUs)
    if (this.#fullPipe.isReached) {
      this.#probe.onAck(sample, this.#cwndBytes, this.#isCwndLimited, this.#state === 'probing')
    }
    model.onRtt(sample)
    this.#probeRtt(sample)
    model.loss.advance(model.sampleRate, sample.sampleBytes, sample.deliveredBytes)
    this.#setPacingRate(PACING_GAINS[this.state])
    this.#setCwnd(sample.ackedBytes)
  }

  onLoss(sample: LossSample): void {
    const model = this.#model
    if (model.onLoss(sample.lostBytes, sample.lostRanges, sample.deliveredBytes)) {
      this.#saveCwnd()
      model.save()
      this.#undoState = undefined
      this.#unprovenPackets = 0
    }
    this.#unprovenPackets += sample.lostPackets
    // As after a retransmission timeout: little, and then as much more as is acknowledged (§5.6.4.4).
    if (sample.isPersistent) this.#cwndBytes = model.minimumBytes
    if (!this.#probe.isSample || !model.isTooHigh(sample.lostSinceSentBytes, sample.sentInFlightBytes)) return
    const inFlight = model.inflightAtLoss(sample.sentInFlightBytes, sample.lostSinceSentBytes, sample.lostBytes)
    const isActive = this.#state === 'probing'
    if (isActive && this.#probe.phase === 'up') this.#undoState = 'up'
    this.#probe.onTooHigh(sample.nowUs, inFlight, sample.isAppLimited, this.#cwndBytes, isActive)
  }

  /** When nothing of an episode of losses was lost, everything that it changed is taken back (§5.5.11). */
  onSpuriousLoss(packets: number): void {
    if (this.#unprovenPackets === 0) return
    this.#unprovenPackets = Math.max(0, this.#unprovenPackets - packets)
    if (this.#unprovenPackets > 0) return
    this.#cwndBytes = Math.max(this.#cwndBytes, this.#priorCwndBytes)
    this.#fullPipe.restart(0)
    this.#model.undo()
    const undoState = this.#undoState
    this.#undoState = undefined
    if (undoState === 'startup') {
      this.#fullPipe.isReached = false
      if (this.#state !== 'probeRtt') this.#state = 'startup'
    } else if (undoState === 'up' && this.#state === 'probing' && this.#probe.phase !== 'up') {
      this.#probe.startRefill()
    }
  }

  onDatagramBytes(datagramBytes: number): void {
    const model = this.#model
    model.datagramBytes = datagramBytes
    // The first window is a number of packets.
    if (model.deliveredBytes < 0) this.#cwndBytes = model.initialWindowBytes
    this.#cwndBytes = Math.max(this.#cwndBytes, model.minimumBytes)
  }

  reset(): void {
    this.#model.reset()
    this.#fullPipe.reset()
    this.#probe.reset()
    this.#state = 'startup'
    this.#cwndBytes = this.#model.initialWindowBytes
    this.#pacingRate = 0
    this.#isIdleRestart = false
    this.#isLimitedNow = false
    this.#isCwndLimited = false
    this.#priorCwndBytes = 0
    this.#probeRttDoneUs = 0
    this.#unprovenPackets = 0
    this.#undoState = undefined
  }

  /** Once a round: what losses mean outside of probes, and for startup. */
  #followLosses(): void {
    const { loss, deliveredBytes } = this.#model
    if (!loss.isEnd || !loss.isLossInRound) return
    if (!this.#model.isTooHigh(loss.lostBytes, loss.totalBytes(deliveredBytes))) return
    if (this.#state === 'startup') {
      if (loss.lostRanges >= STARTUP_FULL_LOSS_RANGES) this.#endStartupByLoss()
    } else if (this.#state !== 'probing' || this.#probe.phase === 'down' || this.#probe.phase === 'cruise') {
      this.#model.lowerShortTerm(this.#cwndBytes)
    }
  }

  /** §5.3.1.3: losses all over a round say that the pipe is full, and how much it holds. */
  #endStartupByLoss(): void {
    this.#undoState = 'startup'
    this.#fullPipe.isReached = true
    this.#model.inflightLongtermBytes = Math.max(this.#model.bdpBytes, this.#model.loss.latestInflightBytes)
  }

  #startDrain(): void {
    this.#state = 'drain'
    this.#drainStartRound = this.#model.rounds.count
  }

  #isDrained(inFlightBytes: number): boolean {
    return (
      inFlightBytes <= this.#model.inflightBytes(1) ||
      this.#model.rounds.count > this.#drainStartRound + DRAIN_MAX_ROUNDS
    )
  }

  #startProbing(nowUs: number): void {
    this.#state = 'probing'
    this.#probe.startDown(nowUs)
  }

  /** §5.3.4: half of the product of rate and round trip in flight for 200 ms, to see the path without a queue. */
  #probeRtt(sample: AckSample): void {
    const model = this.#model
    if (this.#state !== 'probeRtt' && model.isMinRttProbeDue && !this.#isIdleRestart) {
      this.#saveCwnd()
      this.#state = 'probeRtt'
      this.#probeRttDoneUs = 0
      this.#probe.stopSampling()
    }
    if (this.#state === 'probeRtt') {
      if (this.#probeRttDoneUs === 0) {
        if (sample.inFlightBytes <= model.inflightBytes(PROBE_RTT_CWND_GAIN)) {
          this.#probeRttDoneUs = sample.nowUs + PROBE_RTT_DURATION_US
          this.#isProbeRttRoundDone = false
          model.rounds.start(sample.deliveredBytes)
        }
      } else {
        if (model.rounds.isStart) this.#isProbeRttRoundDone = true
        if (this.#isProbeRttRoundDone) this.#leaveProbeRttWhenDone(sample.nowUs)
      }
    }
    this.#isIdleRestart = false
  }

  #leaveProbeRttWhenDone(nowUs: number): void {
    if (this.#probeRttDoneUs === 0 || nowUs <= this.#probeRttDoneUs) return
    this.#model.onRttProbed(nowUs)
    this.#cwndBytes = Math.max(this.#cwndBytes, this.#priorCwndBytes)
    this.#model.forgetShortTerm()
    if (!this.#fullPipe.isReached) {
      this.#state = 'startup'
      return
    }
    this.#startProbing(nowUs)
    // The queue is gone already.
    this.#probe.startCruise()
  }

  #saveCwnd(): void {
    this.#priorCwndBytes =
      this.#state === 'probeRtt' ? Math.max(this.#priorCwndBytes, this.#cwndBytes) : this.#cwndBytes
  }

  /** In startup the rate only rises: low samples are those of an application that had nothing to send. */
  #setPacingRate(gain: number): void {
    const model = this.#model
    // Slowing down, losses are not made up for: what they then are is the path's own, and not those of our excess.
    const excess = gain < 1 ? 1 : model.sentPerDelivered
    // The margin drains queues and lets others in; where there is neither, it would leave a hundredth to nobody.
    const isAlone = model.isQueueEmpty && model.rateShortterm === Number.POSITIVE_INFINITY
    const margin = isAlone ? 0 : PACING_MARGIN
    const rate = gain * model.rate * (1 - margin) * excess
    if (this.#fullPipe.isReached || rate > this.#pacingRate) this.#pacingRate = rate
  }

  #setCwnd(ackedBytes: number): void {
    const model = this.#model
    const { state } = this
    const gain = CWND_GAINS[state]
    const most = model.maxInflightBytes(gain)
    let cwnd = this.#cwndBytes
    if (this.#fullPipe.isReached) cwnd = Math.min(cwnd + ackedBytes, most)
    else if (cwnd < most || model.isNew) cwnd += ackedBytes
    if (state === 'probeRtt') cwnd = Math.min(cwnd, model.inflightBytes(PROBE_RTT_CWND_GAIN))
    let cap = model.inflightShorttermBytes
    if (state === 'cruise' || state === 'probeRtt') cap = Math.min(cap, model.inflightWithHeadroomBytes)
    else if (state === 'down' || state === 'refill' || state === 'up') cap = Math.min(cap, model.inflightLongtermBytes)
    this.#cwndBytes = Math.min(Math.max(Math.min(cwnd, cap), model.minimumBytes), MAX_WINDOW_BYTES)
  }
}
