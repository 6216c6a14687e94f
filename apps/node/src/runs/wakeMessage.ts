/**
 * A mailbox message beside the handshake: "this side is here again". It says nothing that could be trusted and leads to
 * nothing but a new resumption handshake, which proves itself.
 */
const WAKE = 0x7f

export const wakeMessage = (): Uint8Array => Uint8Array.of(WAKE)

export const isWakeMessage = (message: Uint8Array): boolean => message.length === 1 && message[0] === WAKE
