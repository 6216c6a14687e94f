/**
 * The code that one person tells another: `<nameplate>-<word>-<word>-<word>[@host:port]`, and the public room name that
 * goes with a user's own password: `<name>[@host:port]`.
 *
 * The nameplate and the address are public. The words are the secret of the handshake: they never reach the rendezvous,
 * and no failure made here repeats them. Passwords themselves are `codePassword.ts`.
 */
import { parseIpv6 } from './candidatesIp.js'
import { fail, ok, type Result } from './errors.js'
import { CODE_MAX_CHARACTERS, NAMEPLATE_MAX } from './limits.js'
import { nameplateSchema } from './rendezvousApi.js'
import { CODE_WORDS, type CodeWords, isCodeWord } from './words.js'

/** Where a rendezvous answers. `host` is a name, an IPv4 address or an IPv6 address without brackets. */
export interface RendezvousAddress {
  readonly host: string
  /** 1 … 65,535, TCP; the rendezvous' UDP port is asked for there. */
  readonly port: number
}

export interface Code {
  /** Decimal, 1 … NAMEPLATE_MAX, without leading zeros. */
  readonly nameplate: string
  /** Secret. */
  readonly words: CodeWords
  /** Null when the code carries no address. */
  readonly rendezvous: RendezvousAddress | null
}

export interface RoomName {
  readonly name: string
  readonly rendezvous: RendezvousAddress | null
}

/** Spaces, hyphens, and the dashes that word processors make of hyphens. */
const SEPARATORS = /[\s\-_\u2010-\u2015\u2212]+/u
const QUOTES = /^["'`\u2018-\u201f<(]+|["'`\u2018-\u201f>).,;!]+$/gu

/**
 * Reads a code as people type and paste it: in any case, with spaces or dashes, in quotes.
 *
 * @returns ERR_CODE_MALFORMED with what is wrong (never with the words themselves).
 */
export const parseCode = (text: string): Result<Code> => {
  if (text.length > CODE_MAX_CHARACTERS) return fail('ERR_CODE_MALFORMED', 'The code is too long')
  const { before, address } = splitAddress(text)
  if (!address.ok) return address
  const parts = before
    .toLowerCase()
    .split(SEPARATORS)
    .filter((part) => part !== '')
  const [nameplate, first, second, third] = parts
  if (nameplate === undefined) return fail('ERR_CODE_MALFORMED', 'The code is empty')
  if (!/^\d{1,9}$/.test(nameplate)) return fail('ERR_CODE_MALFORMED', 'The code does not begin with a number')
  const number = Number(nameplate)
  if (number < 1 || number > NAMEPLATE_MAX) {
    return fail('ERR_CODE_MALFORMED', `The number at the beginning is not in 1 to ${NAMEPLATE_MAX}`)
  }
  if (first === undefined || second === undefined || third === undefined || parts.length !== 1 + CODE_WORDS) {
    return fail('ERR_CODE_MALFORMED', `The number is followed by ${parts.length - 1} words instead of ${CODE_WORDS}`)
  }
  const unknown = [first, second, third].findIndex((word) => !isCodeWord(word))
  if (unknown >= 0) return fail('ERR_CODE_MALFORMED', `Word ${unknown + 1} is not one that codes are made of`)
  return ok({ nameplate: String(number), words: [first, second, third], rendezvous: address.value })
}

/** The code as the sender reads it out; `parseCode` reads it back. */
export const formatCode = (code: Code): string =>
  [code.nameplate, ...code.words].join('-') + (code.rendezvous === null ? '' : `@${formatAddress(code.rendezvous)}`)

/** Reads a public room name with an optional address behind it. */
export const parseRoomName = (text: string): Result<RoomName> => {
  if (text.length > CODE_MAX_CHARACTERS) return fail('ERR_USAGE', 'The room name is too long')
  const { before, address } = splitAddress(text)
  if (!address.ok) return fail('ERR_USAGE', address.failure.detail)
  const name = before.normalize('NFC').trim()
  if (!nameplateSchema.safeParse(name).success) {
    return fail('ERR_USAGE', 'A room name is 1 to 64 letters, digits, spaces, dots, hyphens and underscores')
  }
  if (/^\d+$/.test(name)) return fail('ERR_USAGE', 'A room name of digits alone would be taken for a code’s number')
  return ok({ name, rendezvous: address.value })
}

/** `host:port`, with brackets around an IPv6 address. */
export const formatAddress = (address: RendezvousAddress): string =>
  address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`

/** Reads `host:port` or `[IPv6]:port`. */
export const parseAddress = (text: string): Result<RendezvousAddress> => {
  const match = /^(?:\[([0-9a-f:.]{2,45})\]|([^[\]:]{1,253})):(\d{1,5})$/.exec(text.trim().toLowerCase())
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  if (host === undefined) return fail('ERR_CODE_MALFORMED', 'The address behind the @ is not host:port or [IPv6]:port')
  if (!(port >= 1 && port <= 65_535)) return fail('ERR_CODE_MALFORMED', 'The port behind the @ is not in 1 to 65535')
  if (match?.[1] === undefined && !isHostName(host)) {
    return fail('ERR_CODE_MALFORMED', 'The host behind the @ is not a name or an address')
  }
  if (match?.[1] !== undefined && parseIpv6(host) === undefined) {
    return fail('ERR_CODE_MALFORMED', 'What stands in brackets behind the @ is not an IPv6 address')
  }
  return ok({ host, port })
}

/** Names as in RFC 1123 §2.1, with underscores, which local networks have; IPv4 addresses have the same form. */
const isHostName = (host: string): boolean =>
  host.split('.').every((label) => /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label))

const splitAddress = (text: string): { before: string; address: Result<RendezvousAddress | null> } => {
  const tidy = text.normalize('NFKC').trim().replace(QUOTES, '')
  const at = tidy.indexOf('@')
  if (at < 0) return { before: tidy, address: ok(null) }
  return { before: tidy.slice(0, at), address: parseAddress(tidy.slice(at + 1)) }
}
