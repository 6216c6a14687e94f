/**
 * Sends forged packets at a steady rate: right addresses, right connection ids, right headers, no keys. Its parent tells it
 * whom (`{ type: 'begin', … }`) and is told once a second how many have left.
 */
import { randomBytes } from 'node:crypto'
import { openOffloadSocket, socketAddress } from '../../../apps/node/dist/dataPlane/offloadSocket.js'
import { writePacketHeader } from '../../../packages/protocol/dist/packet.js'

const PACKET_BYTES = 1200
/** Packets of one send. */
const TRAIN = 32
const STEP_MS = 2
const TELL_MS = 1000

process.on('disconnect', () => process.exit(0))
process.once(
  'message',
  (/** @type {{ ip: string, targets: { port: number, connectionId: Uint8Array }[], rate: number }} */ order) => {
    const socket = openOffloadSocket(order.ip)
    if (socket?.setSegment(PACKET_BYTES) !== true) {
      process.send?.({ type: 'unable' })
      return
    }
    const trains = order.targets.map(({ port, connectionId }) => {
      const bytes = new Uint8Array(randomBytes(TRAIN * PACKET_BYTES))
      for (let i = 0; i < TRAIN; i++) {
        writePacketHeader(bytes, i * PACKET_BYTES, 0, 0, PACKET_BYTES, connectionId, 0)
      }
      return { bytes, address: socketAddress(order.ip, port) }
    })
    const startedAt = performance.now()
    let sent = 0
    let number = 1
    /** A packet number is taken from the clear, so that no two look like a replay. */
    const renumber = (/** @type {Uint8Array} */ bytes) => {
      for (let i = 0; i < TRAIN; i++) new DataView(bytes.buffer).setUint32(i * PACKET_BYTES + 12, number++)
    }
    const step = () => {
      const due = Math.floor(((performance.now() - startedAt) / 1000) * order.rate)
      while (sent < due) {
        const train = trains[(sent / TRAIN) % trains.length]
        if (train === undefined) return
        renumber(train.bytes)
        if (socket.send(train.bytes, train.bytes.length, train.address) !== 'sent') break
        sent += TRAIN
      }
    }
    setInterval(step, STEP_MS)
    setInterval(
      () => process.send?.({ type: 'sent', packets: sent, seconds: (performance.now() - startedAt) / 1000 }),
      TELL_MS,
    )
  },
)
