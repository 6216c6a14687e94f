/**
 * What a checker is: one property of a whole simulated transfer, in a file of its own. It looks at what the world does and
 * throws where the property does not hold.
 */
import type { ChunkPlan } from '@godwit/protocol/chunkPlan'
import type { RecordedEvent } from '@godwit/protocol/events'
import type { TransferEvent } from '@godwit/protocol/transferEvents'
import type { SessionParameters } from '../../dataPlane/messages.js'
import type { Computer } from '../computer.js'
import type { Endpoint } from '../os/network.js'

/** A file that was sent: its place below the output folder, and its bytes. */
export interface SentFile {
  readonly path: string
  readonly bytes: Uint8Array
}

/** What checkers may look at. */
export interface WorldView {
  readonly sender: Computer
  readonly receiver: Computer
  /** By file number. */
  readonly files: readonly SentFile[]
  readonly plan: ChunkPlan
  /** Files of somebody else's that were in the output folder before. */
  readonly bystanders: ReadonlyMap<string, Uint8Array>
  readonly receiverTransferId: string
  /** Whether both sides have ended, and how. */
  readonly outcome: string
}

export interface Checker {
  readonly name: string
  /** An event has been recorded. */
  readonly onRecorded?: (world: WorldView, computer: Computer, recorded: RecordedEvent<TransferEvent>) => void
  /** A datagram leaves. */
  readonly onDatagram?: (from: Endpoint, bytes: Uint8Array) => void
  /** A session gets its keys. */
  readonly onSession?: (session: SessionParameters, role: 'sender' | 'receiver') => void
  /** Again and again. */
  readonly onSample?: (world: WorldView) => void
  /** Both sides have ended, or their time is over. */
  readonly atEnd?: (world: WorldView) => Promise<void> | void
}

/** A property does not hold. */
export class CheckFailed extends Error {
  override readonly name = 'CheckFailed'
  readonly checker: string

  constructor(checker: string, message: string) {
    super(`${checker}: ${message}`)
    this.checker = checker
  }
}

export const check: (holds: boolean, checker: string, message: string) => asserts holds = (holds, checker, message) => {
  if (!holds) throw new CheckFailed(checker, message)
}

export const isEqual = (left: Uint8Array, right: Uint8Array): boolean =>
  left.length === right.length && Buffer.compare(left, right) === 0
