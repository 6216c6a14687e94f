/** Everybody who may take part in a row, by name. */
import { godwit } from './godwit.mjs'
import { iperf } from './iperf.mjs'
import { scp } from './scp.mjs'
import { srt } from './srt.mjs'
import { udx } from './udx.mjs'
import { uftp } from './uftp.mjs'

/**
 * @param {(flag: string) => boolean} knows - whether this build's `godwit send` has a flag.
 * @returns {ReadonlyMap<string, import('./contestant.mjs').Contestant>}
 */
export const contestants = (knows) =>
  new Map(
    [
      godwit({ name: 'godwit', label: 'Godwit', flags: [], knows }),
      godwit({ name: 'godwit-1lane', label: 'Godwit, 1 lane', flags: ['--lanes=1'], knows }),
      godwit({ name: 'godwit-lossy', label: 'Godwit, profile lossy', flags: ['--profile=lossy'], knows }),
      scp('cubic'),
      scp('bbr'),
      scp('cubic', { syncs: true }),
      srt(),
      uftp(),
      udx(),
      iperf('tcp', 'cubic'),
      iperf('tcp', 'bbr'),
      iperf('udp'),
    ].map((contestant) => [contestant.name, contestant]),
  )
