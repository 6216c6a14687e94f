/** How many lanes a session has. */
import { availableParallelism } from 'node:os'
import { LANES_MAX } from '@godwit/protocol/limits'
import type { TransferRecord } from '../records/transferRecord.js'

/**
 * Cores for one lane. One lane moves several gigabits a second and uses a core on each side; each lane is a flow of its own
 * on the network, so more than are of use would only take from others.
 */
const CORES_PER_LANE = 4
const DEFAULT_LANES_MAX = 4

export const defaultLanes = (cores = availableParallelism()): number =>
  Math.min(DEFAULT_LANES_MAX, Math.max(1, Math.floor(cores / CORES_PER_LANE)))

/** What the user asked for, else what suits this machine. */
export const lanesOf = (record: TransferRecord | undefined): number =>
  Math.min(LANES_MAX, record?.lanes ?? defaultLanes())
