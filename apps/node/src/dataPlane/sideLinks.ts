/**
 * The first lane's end of the ports to the lanes beside it: shares the chunks to be sent out among them, and takes in those
 * that they received.
 */
import type { MessagePort } from 'node:worker_threads'
import type { ChunkSupply } from '@godwit/engine/transfer/chunkSupply'
import type { ReadyChunk } from '@godwit/engine/transfer/laneSource'
import { RangeSet } from '@godwit/protocol/rangeSet'
import { type FromSideLane, type LaneCounters, NO_COUNTERS, type ToSideLane } from './sideMessages.js'

/** What a receiving session does with the other lanes' chunks. */
export interface SideChunks {
  takeChunk(chunk: number, buffer: Uint8Array, length: number, hash: Uint8Array, release: () => void): void
  onLaneLost(lost: RangeSet): void
}

interface SideLink {
  readonly port: MessagePort
  counters: LaneCounters
}

export class SideLinks {
  readonly #links = new Set<SideLink>()
  /** Lanes that wait for a chunk, first come first served; a lane may stand here more than once. */
  readonly #wanting: SideLink[] = []
  /** Of lanes that are over. */
  #past = NO_COUNTERS

  /** Counters of all lanes beside the first. */
  get counters(): LaneCounters {
    let sum = this.#past
    for (const { counters } of this.#links) sum = added(sum, counters)
    return sum
  }

  attachSender(port: MessagePort, supply: ChunkSupply, onChange: () => void): void {
    const link = this.#attach(port)
    port.on('message', (message: FromSideLane) => {
      link.counters = message.counters
      if (message.type === 'wanted') this.#wanting.push(link)
      else if (message.type === 'acked') supply.onChunkAcked(message.chunk)
      else if (message.type === 'ended') {
        this.#detach(link)
        supply.onLaneLost(message.chunks)
      }
      this.serve(supply)
      onChange()
    })
  }

  /** @param begin - what a receiving lane has to know before it can begin. */
  attachReceiver(
    port: MessagePort,
    begin: Extract<ToSideLane, { type: 'begin' }>,
    session: SideChunks,
    onChange: () => void,
  ): void {
    const link = this.#attach(port)
    port.on('message', (message: FromSideLane) => {
      link.counters = message.counters
      if (message.type === 'whole') {
        const { chunk, buffer, length, hash } = message.chunk
        session.takeChunk(chunk, buffer, length, hash, () => say(port, { type: 'release', chunk }))
      } else if (message.type === 'ended') {
        this.#detach(link)
        const lost = new RangeSet()
        for (const chunk of message.chunks) lost.add(chunk, chunk + 1)
        session.onLaneLost(lost)
      }
      onChange()
    })
    say(port, begin)
  }

  /** Hands out what can be sent to the lanes that wait for it. */
  serve(supply: ChunkSupply): void {
    while (this.#wanting.length > 0 && supply.hasReady) {
      const link = this.#wanting.shift()
      const chunk = supply.take()
      if (link === undefined || chunk === undefined) return
      say(link.port, { type: 'chunk', chunk: plain(chunk) })
    }
  }

  /** The session is over: the other lanes end too. */
  close(): void {
    for (const { port } of this.#links) port.close()
    this.#links.clear()
    this.#wanting.length = 0
  }

  #attach(port: MessagePort): SideLink {
    const link: SideLink = { port, counters: NO_COUNTERS }
    this.#links.add(link)
    return link
  }

  #detach(link: SideLink): void {
    if (!this.#links.delete(link)) return
    this.#past = added(this.#past, link.counters)
    for (let i = this.#wanting.length - 1; i >= 0; i--) if (this.#wanting[i] === link) this.#wanting.splice(i, 1)
    link.port.close()
  }
}

const say = (port: MessagePort, message: ToSideLane): void => port.postMessage(message)

/** What crosses to another thread: the chunk without what the supply keeps beside it. */
const plain = ({ chunk, length, buffer, hash }: ReadyChunk): ReadyChunk => ({ chunk, length, buffer, hash })

const added = (one: LaneCounters, other: LaneCounters): LaneCounters => ({
  packetsLost: one.packetsLost + other.packetsLost,
  bytesRetransmitted: one.bytesRetransmitted + other.bytesRetransmitted,
  packetsCorrupted: one.packetsCorrupted + other.packetsCorrupted,
})
