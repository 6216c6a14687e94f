/** Where a row is run: two hosts, their link, a folder. Everything of it is taken away when the row is over. */
import { setTimeout as sleep } from 'node:timers/promises'
import { CleanUp } from '../cleanUp.mjs'
import { scratchFolder } from '../scratch.mjs'
import { EmulatedLink } from './emulatedLink.mjs'
import { Hosts } from './hosts.mjs'
import { linksimOptions } from './rows.mjs'

const SAMPLE_MS = 100
/** Milliseconds in which what is under way arrives and the next sample is printed, whatever the row's link. */
const SETTLE_MS = 500

/**
 * @typedef {import('./contestants/contestant.mjs').Field & { emulated: EmulatedLink | undefined }} Course
 * @typedef {{ memory: string, disk: string, peers: string }} Places - folders: for files in memory, for files on the
 * disk, and where udx-native is.
 */

/**
 * Runs `work` on a course.
 *
 * @template T
 * @param {CleanUp} cleanUp
 * @param {{ link: import('./rows.mjs').LinkSettings, parent: string, neededBytes: number, peersFolder: string, seed: number }} settings
 * @param {(course: Course) => Promise<T>} work @returns {Promise<T>}
 */
export async function onCourse(cleanUp, { link, parent, neededBytes, peersFolder, seed }, work) {
  const own = new CleanUp()
  const forget = cleanUp.add(() => own.run())
  try {
    const folder = await scratchFolder(own, parent, neededBytes)
    const hosts = Hosts.create(own)
    let emulated
    if (link.kind === 'cable') hosts.cable(link.mtu)
    else {
      const options = linksimOptions(link, SAMPLE_MS, seed)
      emulated = await EmulatedLink.create(hosts, { cleanUp: own, options, mtu: link.mtu })
    }
    return await work({ cleanUp: own, hosts, link, folder, peersFolder, emulated })
  } finally {
    await forget()
  }
}

/** Lets the link come to rest and its counters be printed. */
export const settle = () => sleep(SETTLE_MS)
