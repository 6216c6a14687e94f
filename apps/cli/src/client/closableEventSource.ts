/**
 * The EventSource that tRPC's subscriptions run on. The parser may have several events of one read in hand when the
 * subscription is closed at the first; tRPC's stream is then closed too and would throw at the others.
 */
import { EventSource } from 'eventsource'

export class ClosableEventSource extends EventSource {
  override dispatchEvent(event: Event): boolean {
    return this.readyState === this.CLOSED ? false : super.dispatchEvent(event)
  }
}
