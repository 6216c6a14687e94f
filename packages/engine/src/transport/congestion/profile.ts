/** Which congestion control a connection uses: the standard one, one for paths that lose, one that yields to others. */
import { Bbr } from './bbr.js'
import { LOSSY_TOLERANCE, STANDARD_TOLERANCE } from './bbrParameters.js'
import type { CongestionController } from './controller.js'
import { Ledbat } from './ledbat.js'

export type CongestionProfile = 'standard' | 'lossy' | 'background'

/** @param randomBytes - unpredictable bytes, for the time between probes. */
export const controllerFor = (
  profile: CongestionProfile,
  datagramBytes: number,
  randomBytes: (count: number) => Uint8Array,
): CongestionController => {
  if (profile === 'background') return new Ledbat(datagramBytes)
  const chance = (): number => {
    const [high = 0, low = 0] = randomBytes(2)
    return (256 * high + low) / 65_536
  }
  return new Bbr(datagramBytes, chance, profile === 'lossy' ? LOSSY_TOLERANCE : STANDARD_TOLERANCE)
}
