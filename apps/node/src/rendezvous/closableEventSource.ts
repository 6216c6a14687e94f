/**
 * The EventSource that tRPC's subscriptions run on. The parser may have several events of one read in hand when the
 * subscription is closed at the first; tRPC's stream is then closed too and would throw at the others. An event source
 * that fails by itself still says so: only our own `close` silences it.
 */
import { EventSource } from 'eventsource'

export class ClosableEventSource extends EventSource {
  #isSilent = false

  override close(): void {
    this.#isSilent = true
    super.close()
  }

  override dispatchEvent(event: Event): boolean {
    return this.#isSilent ? false : super.dispatchEvent(event)
  }
}
