/** Sums a CPU profile of V8 (.cpuprofile) by function: in whose own code the time went. */
import { fileURLToPath } from 'node:url'

/**
 * @typedef {{ id: number, callFrame: { functionName: string, url: string, lineNumber: number } }} ProfileNode
 * @typedef {{ nodes: readonly ProfileNode[], samples: readonly number[], timeDeltas: readonly number[] }} CpuProfile -
 * `timeDeltas` are microseconds before each sample.
 * @typedef {{ name: string, place: string, milliseconds: number }} SelfTime - `place` is file:line; of one function.
 */

/** Frames that stand for no function: the thread waits. */
const IDLE = '(idle)'

/**
 * @param {readonly CpuProfile[]} profiles - of one thread or of several.
 * @param {string} root - folder that places are told below.
 * @returns {{ idleMs: number, busyMs: number, functions: SelfTime[] }} the functions with the most time first.
 */
export function selfTimes(profiles, root) {
  /** @type {Map<string, SelfTime>} */
  const functions = new Map()
  let idleMs = 0
  let busyMs = 0
  for (const { nodes, samples, timeDeltas } of profiles) {
    const byId = new Map(nodes.map((node) => [node.id, node]))
    samples.forEach((id, index) => {
      const node = byId.get(id)
      // V8 may hand out a delta below zero when a sample came late.
      const milliseconds = Math.max(0, timeDeltas[index] ?? 0) / 1000
      if (node === undefined) return
      if (node.callFrame.functionName === IDLE) {
        idleMs += milliseconds
        return
      }
      busyMs += milliseconds
      const name = node.callFrame.functionName === '' ? '(anonymous)' : node.callFrame.functionName
      const place = placeOf(node, root)
      const key = `${name} ${place}`
      const known = functions.get(key)
      if (known === undefined) functions.set(key, { name, place, milliseconds })
      else known.milliseconds += milliseconds
    })
  }
  const sorted = [...functions.values()].sort((left, right) => right.milliseconds - left.milliseconds)
  return { idleMs, busyMs, functions: sorted }
}

/** @param {ProfileNode} node @param {string} root */
function placeOf({ callFrame: { url, lineNumber } }, root) {
  if (url === '') return ''
  const path = url.startsWith('file:') ? fileURLToPath(url) : url
  // Lines are counted from 0 in a profile.
  return `${path.startsWith(root) ? path.slice(root.length).replace(/^\//, '') : path}:${lineNumber + 1}`
}

/**
 * @param {ReturnType<typeof selfTimes>} times @param {number} count - functions that are named.
 * @returns {string} lines: milliseconds, share of the busy time, function, place.
 */
export function selfTimesText({ idleMs, busyMs, functions }, count) {
  const head = `busy ${busyMs.toFixed(0)} ms, idle ${idleMs.toFixed(0)} ms`
  const lines = functions.slice(0, count).map(({ name, place, milliseconds }) => {
    const share = busyMs === 0 ? 0 : (100 * milliseconds) / busyMs
    return `${milliseconds.toFixed(0).padStart(8)} ms ${share.toFixed(1).padStart(5)} %  ${name}${place === '' ? '' : `  ${place}`}`
  })
  return [head, ...lines].join('\n')
}
