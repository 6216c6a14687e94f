/**
 * A lock for the set-up, so that two first runs do not install over each other: a file made with O_EXCL that its holder
 * touches while it lives. It is taken over when the holder has died or has not touched it for a minute.
 */
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const TOUCH_MS = 2000
const STALE_MS = 60_000
const POLL_MS = 200

/**
 * Runs `work` while holding `file`; waits as long as a living process holds it.
 *
 * @template T @param {string} file @param {() => void} onWait - called once, when somebody else holds it.
 * @param {() => Promise<T>} work @returns {Promise<T>}
 */
export async function withLock(file, onWait, work) {
  mkdirSync(dirname(file), { recursive: true })
  const content = JSON.stringify({ pid: process.pid, host: hostname(), startedAt: Date.now() })
  for (let waits = 0; !take(file, content); waits++) {
    if (waits === 0) onWait()
    await sleep(POLL_MS)
  }
  const touching = setInterval(() => touch(file), TOUCH_MS)
  const release = () => rmSync(file, { force: true })
  process.once('exit', release)
  try {
    return await work()
  } finally {
    clearInterval(touching)
    process.removeListener('exit', release)
    release()
  }
}

/** @param {string} file */
function touch(file) {
  try {
    utimesSync(file, new Date(), new Date())
  } catch {
    // Taken over by somebody who thought us dead: the steps themselves can be repeated.
  }
}

/** @param {string} file @param {string} content */
function take(file, content) {
  try {
    writeFileSync(file, content, { flag: 'wx', mode: 0o600 })
    return true
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
  }
  const held = read(file)
  if (held !== undefined && isStale(file, held)) moveAside(file, held)
  return false
}

/** @param {string} file */
function read(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

/** @param {string} file @param {string} held */
function isStale(file, held) {
  try {
    if (Date.now() - statSync(file).mtimeMs > STALE_MS) return true
    const { pid, host } = JSON.parse(held)
    if (host !== hostname()) return false
    process.kill(pid, 0)
    return false
  } catch (error) {
    return error.code === 'ESRCH'
  }
}

/**
 * Removes a stale lock. Between reading and moving, another process may have done the same and taken the lock anew: then
 * what was moved is not what was read, and it is put back.
 *
 * @param {string} file @param {string} held
 */
function moveAside(file, held) {
  const aside = `${file}.${process.pid}`
  try {
    renameSync(file, aside)
    if (read(aside) !== held) linkSync(aside, file)
  } catch {
    // Somebody else was faster.
  }
  rmSync(aside, { force: true })
}
