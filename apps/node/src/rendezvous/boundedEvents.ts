/**
 * A bound on the events of a stream (WHATWG HTML §9.2.6), in front of a parser that keeps an event until its end,
 * whatever its length: whoever answers must not fill this node's memory.
 */
const LINE_FEED = 10
const CARRIAGE_RETURN = 13

/** The same bytes; errors when an event, or one line of it, has more than `maxBytes`. */
export const boundedEvents = (
  body: ReadableStream<Uint8Array>,
  maxBytes: number,
): ReadableStream<Uint8Array<ArrayBufferLike>> => {
  let eventBytes = 0
  let lineBytes = 0
  let wasCarriageReturn = false
  const take = (byte: number): void => {
    eventBytes += 1
    const endsPair = byte === LINE_FEED && wasCarriageReturn
    wasCarriageReturn = byte === CARRIAGE_RETURN
    if (endsPair) return
    if (byte !== LINE_FEED && byte !== CARRIAGE_RETURN) {
      lineBytes += 1
      return
    }
    // An empty line ends the event.
    if (lineBytes === 0) eventBytes = 0
    lineBytes = 0
  }
  return body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform: (part, controller) => {
        for (const byte of part) {
          take(byte)
          if (eventBytes > maxBytes) throw new Error('an event is too long')
        }
        controller.enqueue(part)
      },
    }),
  )
}
