/**
 * The EventSource that tRPC's subscriptions run on: the browser's own one cannot send the token as a header, and a
 * token does not belong into an address. Once closed it is silent, though its parser may have events in hand still.
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
