/**
 * Crash points: places right behind a step that durability rests on, at which a node under test ends itself as SIGKILL
 * would. `npm run chaos` aims at them; docs/reliability.md says how to use them by hand.
 *
 * `GODWIT_CRASH_PLAN`, read once when the process starts, names a file. Without it a crash point does nothing. With it,
 * each crash point looks into that file: `{"point":"partsSynced","passes":3}` ends the process at the third pass of that
 * point, counted over all threads and restarts. What has crashed is renamed to `<file>.done`, so that it happens once.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { z } from 'zod'
import { FINALIZE_STEPS } from '../files/finalizeSteps.js'

/** Every crash point, in the order in which a transfer passes them. */
export const CRASH_POINTS = [
  // Either side: taking a transfer in, meeting, agreeing on keys.
  'recordWritten',
  'transferEnqueuedAppended',
  'roomAnswered',
  'roomEnteredAppended',
  'resumptionStored',
  'sessionOpenedAppended',
  // Receiver: from a chunk to the durable ack.
  'stagingMade',
  'chunkWritten',
  'partsSynced',
  'foldersSynced',
  'chunkHashesSynced',
  'chunksAckedAppended',
  'durableAckHandedOver',
  // Sender.
  'durableAckTaken',
  'durableAckAppended',
  // Receiver: from the last chunk to the end.
  'fileHashed',
  ...FINALIZE_STEPS.map((step) => `finalize: ${step}` as const),
  'filesCompletedAppended',
  'receiverCompletedAppended',
  'completionAnnounced',
  'stagingRemoved',
  // Sender.
  'completionTaken',
  'completionAppended',
  'completionConfirmed',
  // Receiver, then sender.
  'completionKnown',
  'roomClosed',
] as const

export type CrashPoint = (typeof CRASH_POINTS)[number]

const planSchema = z.object({ point: z.enum(CRASH_POINTS), passes: z.number().int().min(1) })

/** The mechanism itself. @param crash - ends the process and does not return. */
export const createCrashPoint =
  (planFile: string, crash: () => void): ((point: CrashPoint) => void) =>
  (point) => {
    const plan = readPlan(planFile)
    if (plan?.point !== point) return
    if (plan.passes > 1) {
      writeFileSync(planFile, JSON.stringify({ point, passes: plan.passes - 1 }))
      return
    }
    renameSync(planFile, `${planFile}.done`)
    crash()
  }

/** Undefined where nothing is planned, or not (yet) a whole plan. */
const readPlan = (planFile: string): z.infer<typeof planSchema> | undefined => {
  try {
    return planSchema.safeParse(JSON.parse(readFileSync(planFile, 'utf8'))).data
  } catch {
    return undefined
  }
}

const planFile = process.env['GODWIT_CRASH_PLAN']

/** Marks the place behind a step: nothing happens here unless a test has planned a crash. */
export const crashPoint: (point: CrashPoint) => void =
  planFile === undefined || planFile === ''
    ? () => undefined
    : createCrashPoint(planFile, () => process.kill(process.pid, 'SIGKILL'))
