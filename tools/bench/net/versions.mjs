/** Which versions of other programs took part. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const TIMEOUT_MS = 3000

/** Programs with what makes them tell their version, and where it stands in what they say. @type {readonly (readonly [string, readonly string[], RegExp])[]} */
const PROGRAMS = [
  ['ssh', ['-V'], /(OpenSSH_[\w.]+)/],
  ['srt-file-transmit', ['-version'], /(SRT Library version: [\d.]+)/],
  // It has no option for it, but tells it before it finds no file to send.
  ['uftp', ['-M', '127.0.0.1', '/nonexistent/file'], /(UFTP version [\d.]+)/],
  ['iperf3', ['--version'], /(iperf [\d.]+)/],
]

/** @param {string} peersFolder - where udx-native is. @returns {string[]} of those that are here. */
export function versions(peersFolder) {
  const told = PROGRAMS.flatMap(([program, args, pattern]) => {
    const { stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', timeout: TIMEOUT_MS })
    const version = pattern.exec(`${stdout ?? ''}${stderr ?? ''}`)?.[1]
    return version === undefined ? [] : [version]
  })
  try {
    const { version } = JSON.parse(
      readFileSync(join(peersFolder, 'node_modules', 'udx-native', 'package.json'), 'utf8'),
    )
    return [...told, `udx-native ${version}`]
  } catch {
    return told
  }
}
