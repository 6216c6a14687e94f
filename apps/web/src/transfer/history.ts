/**
 * What the page makes of a transfer's events: how far each receiver is chunk by chunk, how fast it went, and a timeline
 * that a person can read. A mutable fold, since a long transfer has tens of thousands of events; `revision` tells what
 * was drawn already.
 */
import type { EventLine } from '@godwit/protocol/api'
import { formatBytes } from '@godwit/protocol/rate'
import { ChunkSet } from './chunkSet'
import { eventText } from './eventText'

export interface TimelineEntry {
  /** Version of its first event. */
  readonly key: number
  readonly at: string
  readonly text: string
  readonly tone: 'plain' | 'good' | 'bad'
}

export interface Sample {
  /** When the window ended, milliseconds since 1970. */
  readonly atMs: number
  readonly sinceMs: number
  readonly bytes: number
  readonly rttUs: number
}

export interface ReceiverHistory {
  readonly id: string
  name: string
  /** Kind of the path of the last session, and its family. */
  path: string
  rate: number
  rttUs: number
  readonly acked: ChunkSet
  resentChunks: number
}

const numberOf = (value: unknown): number => (typeof value === 'number' ? value : 0)
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')

const rangesOf = (value: unknown): readonly (readonly [number, number])[] =>
  Array.isArray(value)
    ? value.flatMap((range) => (Array.isArray(range) ? [[numberOf(range[0]), numberOf(range[1])] as const] : []))
    : []

/** Samples that are kept: beyond, neighbours are joined, so the chart's memory is bounded. */
const SAMPLES_MAX = 20_000

export class TransferHistory {
  revision = 0
  version = 0
  chunkCount = 0
  readonly receivers = new Map<string, ReceiverHistory>()
  readonly timeline: TimelineEntry[] = []
  samples: Sample[] = []
  /** Chunks that were sent again, of any receiver. */
  resent = new ChunkSet(0)
  #run: { readonly key: number; readonly at: string; bytes: number; windows: number } | undefined

  /** Takes in the next events in order; one that was seen already is skipped. */
  take(events: readonly EventLine[]): void {
    for (const event of events) {
      if (event.version <= this.version) continue
      this.version = event.version
      this.#takeOne(event)
    }
    this.revision += 1
  }

  #takeOne(event: EventLine): void {
    const { data } = event
    if (event.event === 'TransferEnqueued' || event.event === 'Offered') this.#resize(numberOf(data['chunkCount']))
    const receiver = typeof data['receiver'] === 'string' ? this.#receiver(data['receiver']) : undefined
    if (event.event === 'ChunksAcked' && receiver !== undefined) {
      this.#acked(event, receiver)
      return
    }
    this.#run = undefined
    if (receiver !== undefined) this.#ofReceiver(event, receiver)
    const told = eventText(event, receiver?.name ?? '')
    if (told !== undefined) this.timeline.push({ key: event.version, at: event.at, ...told })
  }

  #ofReceiver({ event, data }: EventLine, receiver: ReceiverHistory): void {
    switch (event) {
      case 'PeerPaired':
        receiver.name = textOf(data['name'])
        return
      case 'SessionOpened':
        receiver.path = `${textOf(data['path'])} ${textOf(data['family'])}`
        return
      case 'SessionLost':
      case 'ReceiverLeft':
      case 'ReceiverCompleted':
        receiver.rate = 0
        return
      case 'RetransmitRequested':
      case 'ChunksRejected':
        for (const [first, count] of rangesOf(data['ranges'])) {
          receiver.acked.remove(first, count)
          this.resent.add(first, count)
          receiver.resentChunks += count
        }
    }
  }

  #acked({ at, version, data }: EventLine, receiver: ReceiverHistory): void {
    const bytes = numberOf(data['bytes'])
    for (const [first, count] of rangesOf(data['ranges'])) receiver.acked.add(first, count)
    receiver.rate = numberOf(data['rate'])
    receiver.rttUs = numberOf(data['rttUs'])
    const sinceMs = Math.max(1, numberOf(data['sinceMs']))
    this.samples.push({ atMs: Date.parse(at), sinceMs, bytes, rttUs: receiver.rttUs })
    if (this.samples.length > SAMPLES_MAX) this.samples = joinPairs(this.samples)
    this.#run ??= this.#beginRun(version, at)
    this.#run.bytes += bytes
    this.#run.windows += 1
    const { key, at: since, bytes: total, windows } = this.#run
    const text = `${formatBytes(total)} arrived and ${windows === 1 ? 'was' : 'were'} recorded, in ${windows === 1 ? 'one checkpoint' : `${windows} checkpoints`}.`
    this.timeline[this.timeline.length - 1] = { key, at: since, text, tone: 'plain' }
  }

  #beginRun(key: number, at: string) {
    this.timeline.push({ key, at, text: '', tone: 'plain' })
    return { key, at, bytes: 0, windows: 0 }
  }

  #receiver(id: string): ReceiverHistory {
    const known = this.receivers.get(id)
    if (known !== undefined) return known
    const made = { id, name: '', path: '', rate: 0, rttUs: 0, acked: new ChunkSet(this.chunkCount), resentChunks: 0 }
    this.receivers.set(id, made)
    return made
  }

  #resize(chunkCount: number): void {
    if (chunkCount <= this.chunkCount) return
    this.chunkCount = chunkCount
    this.resent = new ChunkSet(chunkCount)
    for (const receiver of this.receivers.values()) receiver.acked.resize(chunkCount)
  }
}

const joinPairs = (samples: readonly Sample[]): Sample[] => {
  const joined: Sample[] = []
  for (let index = 0; index < samples.length; index += 2) {
    const first = samples[index]
    const second = samples[index + 1]
    if (first === undefined) break
    if (second === undefined) joined.push(first)
    else
      joined.push({
        atMs: second.atMs,
        sinceMs: Math.max(second.sinceMs, second.atMs - first.atMs + first.sinceMs),
        bytes: first.bytes + second.bytes,
        rttUs: second.rttUs,
      })
  }
  return joined
}
