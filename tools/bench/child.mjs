/** Runs other programs, in a network namespace where one is named, and ends them with whoever started them. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

const TAIL_CHARACTERS = 4000

/**
 * @typedef {{ namespace?: string | undefined, env?: Readonly<Record<string, string | undefined>>, input?: string, cwd?: string,
 *   onLine?: (text: string) => void }} ChildOptions - `env` changes this process's own, undefined removes a variable;
 *   `onLine` gets each line of stdout as it comes.
 * @typedef {{ exitCode: number, stdout: string, stderr: string }} ChildResult - the end of what it said.
 */

export class Child {
  /** @type {Promise<ChildResult>} */
  finished
  isOver = false
  #said = new Set()
  /** @type {Set<() => void>} */
  #listeners = new Set()

  /**
   * @param {import('./cleanUp.mjs').CleanUp} cleanUp
   * @param {string} program @param {readonly string[]} args @param {ChildOptions} [options]
   */
  constructor(cleanUp, program, args, { namespace, env = {}, input, cwd, onLine } = {}) {
    // ip becomes the program: the process that is started is the one that is measured and ended.
    const words = namespace === undefined ? [program, ...args] : ['ip', 'netns', 'exec', namespace, program, ...args]
    const environment = { ...process.env, ...env }
    for (const [name, value] of Object.entries(env)) if (value === undefined) delete environment[name]
    const child = spawn(words[0], words.slice(1), {
      env: environment,
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      ...(cwd === undefined ? {} : { cwd }),
    })
    this.process = child
    let [stdout, stderr] = ['', '']
    // A program that ends without reading its input is judged by its exit code.
    child.stdin?.on('error', () => {})
    child.stdin?.end(input)
    child.stderr?.setEncoding('utf8').on('data', (text) => {
      stderr = (stderr + text).slice(-TAIL_CHARACTERS)
    })
    if (child.stdout !== null) {
      createInterface({ input: child.stdout }).on('line', (text) => {
        stdout = `${stdout}${text}\n`.slice(-TAIL_CHARACTERS)
        this.#said.add(text)
        for (const listener of [...this.#listeners]) listener()
        onLine?.(text)
      })
    }
    const forget = cleanUp.add(() => this.kill())
    this.finished = new Promise((resolve) => {
      child.once('error', (error) => resolve({ exitCode: -1, stdout, stderr: `${error.message}\n${stderr}` }))
      child.once('close', (code) => resolve({ exitCode: code ?? -1, stdout, stderr }))
    })
    void this.finished.then(() => {
      // It is gone: there is nothing to end any more.
      this.isOver = true
      for (const listener of [...this.#listeners]) listener()
      void forget()
    })
  }

  /** Resolves when it has printed a line; rejects when it ends without. @param {string} text - the whole line. */
  async said(text) {
    while (!this.#said.has(text)) {
      if (this.isOver) {
        const { exitCode, stderr } = await this.finished
        throw new Error(`ended with ${exitCode} before it said ${text}: ${stderr}`)
      }
      await new Promise((resolve) => {
        const listener = () => {
          this.#listeners.delete(listener)
          resolve(undefined)
        }
        this.#listeners.add(listener)
      })
    }
  }

  /** SIGKILL, and waits until it is gone. */
  async kill() {
    if (!this.isOver) this.process.kill('SIGKILL')
    await this.finished
  }

  /** SIGTERM, and SIGKILL where that is not heard within `graceMs`. */
  async stop(graceMs = 3000) {
    if (!this.isOver) this.process.kill('SIGTERM')
    const timer = setTimeout(() => void this.kill(), graceMs)
    await this.finished
    clearTimeout(timer)
  }
}

/**
 * Runs a program to its end. Throws with what it said when it fails.
 *
 * @param {import('./cleanUp.mjs').CleanUp} cleanUp
 * @param {string} program @param {readonly string[]} args @param {ChildOptions} [options] @returns {Promise<ChildResult>}
 */
export async function runChild(cleanUp, program, args, options) {
  const result = await new Child(cleanUp, program, args, options).finished
  if (result.exitCode === 0) return result
  throw new Error(`${program} ${args[0] ?? ''} ended with ${result.exitCode}:\n${result.stdout}${result.stderr}`)
}
