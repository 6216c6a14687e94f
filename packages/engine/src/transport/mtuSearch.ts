/**
 * The largest datagram that the path carries, found by probing (DPLPMTUD, RFC 8899). A probe is a packet that asks for
 * an acknowledgement and is padded to the size in question; losing one says nothing about congestion.
 *
 * The usual sizes are tried from the largest downwards, since the limit that the driver gives is usually right. Probing
 * is only as true as the socket: it must send a probe unfragmented and alone (`Transmit.isMtuProbe`).
 */

/** UDP payloads of common links: tunnels and PPPoE over Ethernet, Ethernet, jumbo frames, loopback. */
const USUAL_BYTES = [1232, 1372, 1392, 1412, 1440, 1452, 1472, 4052, 8952, 16_332, 32_716, 65_507]
/** RFC 8899 §5.1.2: MAX_PROBES and PMTU_RAISE_TIMER. */
const PROBES_MAX = 3
const RAISE_US = 600_000_000
/** After the size in use stopped getting through: when to look for the right one. */
const AFTER_BLACK_HOLE_US = 1_000_000

export class MtuSearch {
  readonly #baseBytes: number
  readonly #isSearching: boolean
  #limitBytes: number
  /** The smallest size that failed. */
  #failedBytes = Number.POSITIVE_INFINITY
  #probeBytes = 0
  #probePacket = -1
  #probes = 0
  /** When the next probe leaves, or the one under way counts as lost. */
  #nextUs = Number.POSITIVE_INFINITY

  /** The size in use. */
  currentBytes: number

  /** @param maxBytes - the end of the search; equal to `baseBytes` for none. */
  constructor(baseBytes: number, maxBytes: number) {
    this.#baseBytes = baseBytes
    this.#limitBytes = maxBytes
    this.#isSearching = maxBytes > baseBytes
    this.currentBytes = baseBytes
  }

  /** A path can be used: from the smallest size on. */
  start(nowUs: number): void {
    this.currentBytes = Math.min(this.#baseBytes, this.#limitBytes)
    this.#restart(nowUs)
  }

  /** When there is something to do; Infinity for never. */
  get nextUs(): number {
    return this.#nextUs
  }

  /** The size of the probe that is due, at most `roomBytes`; 0 for none. */
  due(nowUs: number, roomBytes: number): number {
    if (nowUs < this.#nextUs) return 0
    if (this.#probePacket >= 0) {
      // Not acknowledged in time.
      this.#probePacket = -1
      if (this.#probes >= PROBES_MAX) this.#failedBytes = Math.min(this.#failedBytes, this.#probeBytes)
    }
    const wanted = this.#next(Math.min(this.#limitBytes, roomBytes))
    if (wanted === 0) {
      const isOver = this.#failedBytes !== Number.POSITIVE_INFINITY
      this.#failedBytes = Number.POSITIVE_INFINITY
      this.#nextUs = isOver ? nowUs + RAISE_US : Number.POSITIVE_INFINITY
      return 0
    }
    if (wanted !== this.#probeBytes) this.#probes = 0
    this.#probeBytes = wanted
    return wanted
  }

  /** The probe that was due has left. @param waitUs - how long its acknowledgement may take. */
  onSent(nowUs: number, packetNumber: number, waitUs: number): void {
    this.#probePacket = packetNumber
    this.#probes += 1
    this.#nextUs = nowUs + waitUs
  }

  /** An ACK's ranges: pairs [start, end). */
  onAck(nowUs: number, ranges: Float64Array, rangeCount: number): void {
    if (this.#probePacket < 0) return
    for (let i = 0; i < rangeCount; i++) {
      if (this.#probePacket < (ranges[2 * i] ?? 0) || this.#probePacket >= (ranges[2 * i + 1] ?? 0)) continue
      this.#probePacket = -1
      this.#probes = 0
      if (this.#probeBytes <= this.#limitBytes) this.currentBytes = Math.max(this.currentBytes, this.#probeBytes)
      this.#nextUs = nowUs
      return
    }
  }

  /** The socket refused a datagram of this size, which is more than the interface carries: the usual size below it is next. */
  onTooLarge(nowUs: number, bytes: number): void {
    if (bytes > this.#limitBytes || bytes <= this.#baseBytes) return
    this.#limitBytes = USUAL_BYTES.findLast((usual) => usual < bytes && usual > this.#baseBytes) ?? this.#baseBytes
    this.currentBytes = Math.min(this.currentBytes, this.#limitBytes)
    this.#restart(nowUs)
  }

  /** Nothing gets through any more: perhaps the size is to blame (RFC 8899 §4.3). */
  onBlackHole(nowUs: number): void {
    if (this.currentBytes <= this.#baseBytes) return
    this.currentBytes = this.#baseBytes
    this.#restart(nowUs + AFTER_BLACK_HOLE_US)
  }

  #restart(atUs: number): void {
    this.#failedBytes = Number.POSITIVE_INFINITY
    this.#probePacket = -1
    this.#probes = 0
    this.#nextUs = this.#isSearching ? atUs : Number.POSITIVE_INFINITY
  }

  /** The next size to try: the largest that may work; 0 for none. */
  #next(limitBytes: number): number {
    const isOpen = (bytes: number): boolean =>
      bytes > this.currentBytes && bytes <= limitBytes && bytes < this.#failedBytes
    if (isOpen(limitBytes)) return limitBytes
    return USUAL_BYTES.findLast(isOpen) ?? 0
  }
}
