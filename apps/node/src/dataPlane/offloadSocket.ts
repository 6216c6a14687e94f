/**
 * A UDP socket with Linux' segmentation offloads: one send of a train leaves as many datagrams (UDP_SEGMENT, GSO), and
 * datagrams that arrive together are read as one (UDP_GRO). dgram cannot ask for either, so the socket is made with libc's
 * calls and then given to dgram as a file descriptor. Sends and reads that need not wait are libc's calls too: they take
 * and fill our own buffers, where dgram makes new ones for each. Don't-fragment is set for good, so a probe that arrives
 * has proved its size (IP_PMTUDISC_PROBE, ip(7)).
 *
 * Where any of it is refused, there is no such socket, and plain dgram does the work.
 */
import koffi from 'koffi'

// Linux' numbers: socket(2), udp(7), ip(7); the same on every architecture that Node.js runs on.
const AF_INET = 2
const SOCK_DGRAM = 2
const SOCK_NONBLOCK = 0o4000
const SOCK_CLOEXEC = 0o2000000
const MSG_DONTWAIT = 0x40
const IPPROTO_IP = 0
const SOL_UDP = 17
const UDP_SEGMENT = 103
const UDP_GRO = 104
const IP_MTU_DISCOVER = 10
const IP_PMTUDISC_PROBE = 3
const SOCKADDR_IN_BYTES = 16
const INT_BYTES = 4

export type SendOutcome =
  | 'sent'
  /** The kernel's buffer is full: the same bytes may be tried again later. */
  | 'wouldBlock'
  /** A datagram is larger than the interface carries. */
  | 'tooLarge'
  /** The kernel or the interface does not cut trains. */
  | 'notCut'
  /** No route, a firewall …: as good as lost. */
  | 'failed'

export interface OffloadSocket {
  /** Bound and non-blocking; owned by the caller, who gives it to dgram. */
  readonly fd: number
  /**
   * From the next send on a buffer is cut into datagrams of this size; 0: not cut. Only with nothing queued in dgram, since
   * what is queued would be cut anew.
   */
  setSegment(bytes: number): boolean
  /** Sends `buffer[0, length)` if that can be done at once; `address` is of `socketAddress`. */
  send(buffer: Uint8Array, length: number, address: Uint8Array): SendOutcome
  /** Reads what has arrived into `buffer` and returns its length, 0 where there is nothing; its source is then in `from`. */
  receive(buffer: Uint8Array): number
  readonly from: Uint8Array
  /** For a socket that dgram did not take. */
  close(): void
}

interface LibC {
  socket(domain: number, type: number, protocol: number): number
  setsockopt(fd: number, level: number, name: number, value: readonly number[], length: number): number
  bind(fd: number, address: Uint8Array, length: number): number
  close(fd: number): number
  sendto(fd: number, buffer: Uint8Array, length: number, flags: number, to: Uint8Array, toLength: number): number
  recvfrom(
    fd: number,
    buffer: Uint8Array,
    size: number,
    flags: number,
    from: Uint8Array,
    fromLength: Uint32Array,
  ): number
}

let libc: LibC | null | undefined

/** libc as it is in this process; null where there is none that can be called. */
const loadLibC = (): LibC | null => {
  if (process.platform !== 'linux' || process.env['GODWIT_TRAINS'] === 'off') return null
  try {
    const self = koffi.load(null)
    return {
      socket: self.func('int socket(int, int, int)') as LibC['socket'],
      setsockopt: self.func('int setsockopt(int, int, int, const int *, uint32_t)') as LibC['setsockopt'],
      bind: self.func('int bind(int, const uint8_t *, uint32_t)') as LibC['bind'],
      close: self.func('int close(int)') as LibC['close'],
      sendto: self.func('long sendto(int, const uint8_t *, size_t, int, const uint8_t *, uint32_t)') as LibC['sendto'],
      recvfrom: self.func('long recvfrom(int, uint8_t *, size_t, int, uint8_t *, uint32_t *)') as LibC['recvfrom'],
    }
  } catch {
    return null
  }
}

/** @param host - an IPv4 address of this machine, or 0.0.0.0 for all; the port is the kernel's choice. */
export const openOffloadSocket = (host: string): OffloadSocket | undefined => {
  libc ??= loadLibC()
  const c = libc
  if (c === null) return undefined
  const fd = c.socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
  if (fd < 0) return undefined
  const set = (level: number, name: number, value: number): boolean =>
    c.setsockopt(fd, level, name, [value], INT_BYTES) === 0
  const isReady =
    set(SOL_UDP, UDP_SEGMENT, 0) &&
    set(SOL_UDP, UDP_GRO, 1) &&
    set(IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE) &&
    c.bind(fd, socketAddress(host, 0), SOCKADDR_IN_BYTES) === 0
  if (!isReady) {
    c.close(fd)
    return undefined
  }
  const from = new Uint8Array(SOCKADDR_IN_BYTES)
  const fromLength = new Uint32Array(1)
  return {
    fd,
    from,
    setSegment: (bytes) => set(SOL_UDP, UDP_SEGMENT, bytes),
    send: (buffer, length, address) =>
      c.sendto(fd, buffer, length, MSG_DONTWAIT, address, SOCKADDR_IN_BYTES) >= 0 ? 'sent' : outcomeOf(koffi.errno()),
    receive: (buffer) => {
      fromLength[0] = SOCKADDR_IN_BYTES
      return Math.max(0, c.recvfrom(fd, buffer, buffer.length, MSG_DONTWAIT, from, fromLength))
    },
    close: () => void c.close(fd),
  }
}

const outcomeOf = (errno: number): SendOutcome => {
  const { EAGAIN, ENOBUFS, EMSGSIZE, EIO, EINVAL, EOPNOTSUPP } = koffi.os.errno
  if (errno === EAGAIN || errno === ENOBUFS) return 'wouldBlock'
  if (errno === EMSGSIZE) return 'tooLarge'
  return errno === EIO || errno === EINVAL || errno === EOPNOTSUPP ? 'notCut' : 'failed'
}

/** `struct sockaddr_in`: the family in the machine's byte order, port and address in the network's. */
export const socketAddress = (ip: string, port: number): Uint8Array => {
  const address = new Uint8Array(SOCKADDR_IN_BYTES)
  new Uint16Array(address.buffer, 0, 1)[0] = AF_INET
  address[2] = port >>> 8
  address[3] = port
  address.set(ip.split('.').map(Number), 4)
  return address
}

/** Port and address of a `struct sockaddr_in`. */
export const portOf = (address: Uint8Array): number => ((address[2] ?? 0) << 8) | (address[3] ?? 0)
export const ipOf = (address: Uint8Array): string => `${address[4]}.${address[5]}.${address[6]}.${address[7]}`
