/** Reads the frames of an authentic packet and hands each to the mechanism that it concerns. */
import {
  FRAME_ACK,
  FRAME_ACK_FREQUENCY,
  FRAME_CHUNK_DATA,
  FRAME_CHUNK_HASH,
  FRAME_CLOSE,
  FRAME_CONTROL,
  FRAME_END,
  FRAME_MAX_CONTROL,
  FRAME_MAX_CREDIT,
  FRAME_PATH_CHALLENGE,
  FRAME_PATH_RESPONSE,
  FRAME_PING,
  FrameReader,
} from '@godwit/protocol/frames'
import type { MtuSearch } from './mtuSearch.js'
import type { PacketFiller } from './packetFiller.js'
import type { Paths } from './paths.js'
import type { Recovery } from './recovery.js'
import type { ChunkSink, ChunkSource } from './types.js'

/** What the frames of one packet came to. */
export type PacketVerdict = 'ok' | 'protocol' | 'closed'

export interface FrameHandlerParts {
  readonly source: ChunkSource | undefined
  readonly sink: ChunkSink | undefined
  readonly filler: PacketFiller
  readonly recovery: Recovery
  readonly paths: Paths
  readonly mtu: MtuSearch
}

export class FrameHandler {
  readonly #reader = new FrameReader()
  readonly #parts: FrameHandlerParts

  /** Of the last packet: whether it wants an acknowledgement, and whether it carried more than probes. */
  isAckEliciting = false
  hasContent = false
  /** Number in the CLOSE frame, where the verdict is 'closed'. */
  closeNumber = 0
  /** Where the last PATH_RESPONSE of the packet stands; -1 for none. */
  responseStart = -1

  constructor(parts: FrameHandlerParts) {
    this.#parts = parts
  }

  handle(nowUs: number, pathId: number, buffer: Uint8Array, start: number, end: number): PacketVerdict {
    const reader = this.#reader
    reader.reset(buffer, start, end)
    this.isAckEliciting = false
    this.hasContent = false
    this.responseStart = -1
    for (let type = reader.next(); type !== FRAME_END; type = reader.next()) {
      if (type === FRAME_PATH_CHALLENGE) {
        this.#parts.paths.onChallenge(pathId, buffer, reader.dataStart)
      } else if (type === FRAME_PATH_RESPONSE) {
        this.responseStart = reader.dataStart
      } else {
        this.hasContent = true
        if (type === FRAME_CLOSE) {
          this.closeNumber = reader.value
          return 'closed'
        }
        if (type !== FRAME_ACK) this.isAckEliciting = true
        if (!this.#content(nowUs, type, buffer)) return 'protocol'
      }
    }
    return 'ok'
  }

  /** False where the frame makes no sense. */
  #content(nowUs: number, type: number, buffer: Uint8Array): boolean {
    const reader = this.#reader
    const { source, sink, filler, recovery, mtu } = this.#parts
    switch (type) {
      case FRAME_CHUNK_DATA:
        return (
          sink?.onChunkData(
            reader.chunk,
            reader.offset,
            buffer.subarray(reader.dataStart, reader.dataStart + reader.dataLength),
          ) ?? false
        )
      case FRAME_ACK:
        mtu.onAck(nowUs, reader.ranges, reader.rangeCount)
        return recovery.onAck(nowUs, reader, filler.ackFrequency.peerMaxAckDelayUs)
      case FRAME_CHUNK_HASH:
        sink?.onChunkHash(reader.chunk, buffer.subarray(reader.dataStart, reader.dataStart + reader.dataLength))
        return sink !== undefined
      case FRAME_CONTROL:
        return filler.controlReceiver.onData(reader.offset, buffer, reader.dataStart, reader.dataLength)
      case FRAME_MAX_CREDIT:
        source?.onCredit(reader.value)
        filler.wake()
        return source !== undefined
      case FRAME_MAX_CONTROL:
        filler.controlSender.onMaxTotal(reader.value)
        return true
      case FRAME_ACK_FREQUENCY:
        filler.acks.onFrequency(reader.value, reader.threshold, reader.maxDelayUs)
        return true
      case FRAME_PING:
        return true
      default:
        return false
    }
  }
}
