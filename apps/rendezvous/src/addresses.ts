/** Addresses of clients, as the limits count them and as the logs show them. */

/** `::ffff:192.0.2.1` as `192.0.2.1`: a dual-stack socket shows IPv4 this way. */
export const plainAddress = (address: string): string => address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '')

/** The first `count` 16-bit groups of an IPv6 address as text. */
const groups = (address: string, count: number): string => {
  const [head = '', tail] = (address.split('%')[0] ?? '').split('::')
  const front = head === '' ? [] : head.split(':')
  const back = tail === undefined || tail === '' ? [] : tail.split(':')
  const filled =
    tail === undefined ? front : [...front, ...Array(Math.max(0, 8 - front.length - back.length)).fill('0'), ...back]
  return filled.slice(0, count).join(':').toLowerCase()
}

/** Whether `address` is one of the machine that took the connection in on `localAddress`. */
export const isThisMachine = (address: string, localAddress: string | undefined): boolean => {
  const plain = plainAddress(address)
  if (plain === '::1' || plain.startsWith('127.')) return true
  return localAddress !== undefined && plain === plainAddress(localAddress)
}

/** What the limits count by: an IPv4 address, or the /64 that one IPv6 host can pick addresses from. */
export const limitKeyOf = (address: string): string => {
  const plain = plainAddress(address)
  return plain.includes(':') ? `${groups(plain, 4)}::/64` : plain
}

/** What a log may show: IPv4 /24, IPv6 /48. */
export const truncatedAddress = (address: string): string => {
  const plain = plainAddress(address)
  return plain.includes(':') ? `${groups(plain, 3)}::/48` : `${plain.split('.').slice(0, 3).join('.')}.0/24`
}
