/**
 * One step of the set-up: a child process whose talk goes into a log, with a line of progress on stderr. Nothing here
 * ever writes to stdout, which belongs to the command that is run afterwards.
 */
import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'

const TAIL_LINES = 20

/** A failed step, in words for the user: what failed, the end of its log, what to do. */
export class StepFailure extends Error {
  /** @param {string} what @param {string} advice @param {string} [logFile] */
  constructor(what, advice, logFile) {
    super(what)
    this.advice = advice
    this.logFile = logFile
  }

  /** The whole text for stderr. */
  explain() {
    const tail = this.logFile === undefined ? [] : lastLines(this.logFile)
    const log = tail.length === 0 ? [] : [`The end of ${this.logFile}:`, ...tail.map((line) => `  | ${line}`)]
    return [`godwit: ${this.message}`, ...log, this.advice].join('\n')
  }
}

/** @param {string} file */
function lastLines(file) {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-TAIL_LINES)
  } catch {
    return []
  }
}

/**
 * Runs a program to its end, its output in `logFile` (appended).
 *
 * @param {string} program @param {readonly string[]} args
 * @param {{ cwd: string, env: NodeJS.ProcessEnv, logFile: string, timeoutMs: number }} options
 * @returns {Promise<boolean>} whether it ended with 0 in time.
 */
export function run(program, args, { cwd, env, logFile, timeoutMs }) {
  mkdirSync(dirname(logFile), { recursive: true })
  const log = openSync(logFile, 'a')
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd, env, stdio: ['ignore', log, log], timeout: timeoutMs })
    child.once('error', () => resolve(false))
    child.once('exit', (code) => resolve(code === 0))
  }).finally(() => closeSync(log))
}

/**
 * Shows that something is under way and how long it took.
 *
 * @template T @param {string} title @param {() => Promise<T>} work @returns {Promise<T>}
 */
export async function withProgress(title, work) {
  const startedAt = performance.now()
  const seconds = () => ((performance.now() - startedAt) / 1000).toFixed(1)
  const isTerminal = process.stderr.isTTY === true
  process.stderr.write(isTerminal ? `  ${title} …` : `  ${title} … `)
  const ticker = isTerminal ? setInterval(() => process.stderr.write(`\r  ${title} … ${seconds()} s`), 500) : undefined
  try {
    const value = await work()
    process.stderr.write(isTerminal ? `\r  ${title} … ${seconds()} s\n` : `${seconds()} s\n`)
    return value
  } catch (error) {
    process.stderr.write(isTerminal ? `\r  ${title} … failed\n` : 'failed\n')
    throw error
  } finally {
    clearInterval(ticker)
  }
}
