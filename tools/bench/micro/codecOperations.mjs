/** Micro-benchmarks of bytes on the wire: packet headers, frames, varints. */
import { AckRanges } from '@godwit/protocol/ackRanges'
import { FrameReader, writeAck, writeChunkDataHeader } from '@godwit/protocol/frames'
import { isPacketFor, readPacketLength, readPacketNumber, writePacketHeader } from '@godwit/protocol/packet'

const PACKET_BYTES = 1472
const HEADER_BYTES = 16

/** @returns {import('./measure.mjs').Operation[]} */
export function codecOperations() {
  const buffer = new Uint8Array(2048)
  const connectionId = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)
  const reader = new FrameReader()
  const few = ackRangesOf(1)
  const many = ackRangesOf(32)
  const ack = new Uint8Array(1024)
  const ackBytes = writeAck(ack, 0, ack.length, many, 1000)
  const data = new Uint8Array(2048)
  const dataStart = writeChunkDataHeader(data, 0, 700, 524_288, 1400)
  let sink = 0
  return [
    {
      name: 'packet header: write',
      run: (times) => {
        for (let i = 0; i < times; i++) writePacketHeader(buffer, 0, 0, 0, PACKET_BYTES, connectionId, i)
      },
    },
    {
      name: 'packet header: read and match',
      run: (times) => {
        writePacketHeader(buffer, 0, 0, 0, PACKET_BYTES, connectionId, 7)
        for (let i = 0; i < times; i++) {
          sink += readPacketLength(buffer, 0, PACKET_BYTES) + readPacketNumber(buffer, 0)
          if (isPacketFor(buffer, 0, connectionId, 0)) sink++
        }
      },
    },
    {
      name: 'frames: write CHUNK_DATA',
      run: (times) => {
        for (let i = 0; i < times; i++) sink += writeChunkDataHeader(buffer, HEADER_BYTES, i & 0xffff, 524_288, 1400)
      },
    },
    {
      name: 'frames: read CHUNK_DATA',
      run: (times) => {
        for (let i = 0; i < times; i++) {
          reader.reset(data, 0, dataStart + 1400)
          sink += reader.next()
        }
      },
    },
    {
      name: 'frames: write ACK, 1 range',
      run: (times) => {
        for (let i = 0; i < times; i++) sink += writeAck(buffer, 0, buffer.length, few, 1000)
      },
    },
    {
      name: 'frames: write ACK, 32 ranges',
      run: (times) => {
        for (let i = 0; i < times; i++) sink += writeAck(buffer, 0, buffer.length, many, 1000)
      },
    },
    {
      name: 'frames: read ACK, 32 ranges',
      run: (times) => {
        for (let i = 0; i < times; i++) {
          reader.reset(ack, 0, ackBytes)
          sink += reader.next()
        }
        if (sink === Number.NEGATIVE_INFINITY) console.log(sink)
      },
    },
  ]
}

/** @param {number} count */
function ackRangesOf(count) {
  const ranges = new AckRanges()
  for (let i = 0; i < count; i++) for (let k = 0; k < 90; k++) ranges.add(1_000_000 + i * 100 + k)
  return ranges
}
