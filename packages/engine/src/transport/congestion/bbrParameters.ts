/**
 * Constants of BBR (draft-ietf-ccwg-bbr, version 3 of the algorithm) and what a profile changes: how much loss a path
 * may have before it counts as a sign of congestion.
 */

/** §5.3.1.1: 4·ln 2, the least that lets the rate double each round. */
export const STARTUP_PACING_GAIN = 2.77
export const DRAIN_PACING_GAIN = 0.5
export const DOWN_PACING_GAIN = 0.9
export const UP_PACING_GAIN = 1.25
export const DEFAULT_CWND_GAIN = 2
export const UP_CWND_GAIN = 2.25
/** DOWN and CRUISE: the draft's 2 would let flows that share a path stand half a queue each, and never meet. */
export const SETTLED_CWND_GAIN = 1.5
export const PROBE_RTT_CWND_GAIN = 0.5
/** Pacing stays this share below the estimate, so that queues drain (PacingMarginPercent). */
export const PACING_MARGIN = 0.01
/** No reduction within a round goes below this share (Beta: CUBIC's). */
export const BETA = 0.7
/** Share of `inflightLongterm` that is left free for others outside of probing. */
export const HEADROOM = 0.15
/** Packets of the smallest window (MinPipeCwnd). */
export const MIN_PIPE_PACKETS = 4
/**
 * Packets and bytes of the first window: what QUIC senders that pace begin with in wide use. RFC 9002 §7.2 gives 10, for
 * senders that may leave them in one burst; here the round trip is known from the path's probes, and the packets are spread
 * over it.
 */
export const INITIAL_WINDOW_PACKETS = 32
export const INITIAL_WINDOW_MIN_BYTES = 32 * 1200
/** Largest window: beyond any path, and a bound on the arithmetic. */
export const MAX_WINDOW_BYTES = 2 ** 30

/** Growth of the delivery rate that keeps a probe going, and rounds without it that end one (§5.3.1.2). */
export const FULL_BW_GROWTH = 1.25
export const FULL_BW_ROUNDS = 3
/** Separate stretches of losses in one round that may end startup (StartupFullLossCnt). */
export const STARTUP_FULL_LOSS_RANGES = 6
/** Rounds after which draining is given up (§5.3.2). */
export const DRAIN_MAX_ROUNDS = 3

export const MIN_RTT_FILTER_US = 10_000_000
export const PROBE_RTT_INTERVAL_US = 5_000_000
export const PROBE_RTT_DURATION_US = 200_000
/** Rounds that `extraAcked` remembers after startup. */
export const EXTRA_ACKED_ROUNDS = 10

/** Rounds in DOWN after which a queue that still stands is not the flow's own alone. */
export const DOWN_MAX_ROUNDS = 8
/** Rounds of CRUISE after which its samples are of what was sent in it. */
export const CRUISE_SETTLE_ROUNDS = 2
/** Part of the estimate that a flow keeps to at the least while somebody else's queue stands. */
export const FOLLOW_LEAST = 0.5

/** Time between two probes for bandwidth: 2 to 3 s, or 62 to 63 rounds (§5.3.3.5). */
export const PROBE_WAIT_MIN_US = 2_000_000
export const PROBE_WAIT_SPREAD_US = 1_000_000
export const PROBE_ROUNDS_MAX = 63
/** While a queue stands, which says that the path has no more to give, a probe waits up to so many times longer. */
export const PROBE_WAIT_QUEUE_FACTOR = 2
/** After a probe that lost too much the wait is so many times longer: whom it hit has to recover. */
export const PROBE_WAIT_LOSS_FACTOR = 1.5

/** Losses that are no sign of congestion. */
export interface LossTolerance {
  /** Share of what was in flight that a round trip may lose on top of what the path loses by itself (LossThresh). */
  readonly share: number
  /** Share that it may lose while no queue stands: taken for what the path loses by itself. */
  readonly shareWithoutQueue: number
}

export const STANDARD_TOLERANCE: LossTolerance = { share: 0.02, shareWithoutQueue: 0.05 }

/** For paths that lose up to 15 %: what single rounds show of that scatters, so the bound lies higher. */
export const LOSSY_TOLERANCE: LossTolerance = { share: 0.02, shareWithoutQueue: 0.2 }

/** No queue stands below this, or below this part of the smallest round trip where that is more. */
export const SHORT_QUEUE_US = 4000
export const SHORT_QUEUE_RTT_PART = 16
/** Losses without a queue scatter: so many standard deviations above the bound are still below it. */
export const LOSS_DEVIATIONS = 2
