/** Runs `./godwit` as a user's shell does and reads what it prints. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
export const LAUNCHER = fileURLToPath(new URL('../../../godwit', import.meta.url))

/** A line of `--json`. Tests check the fields that they name. */
// biome-ignore lint/suspicious/noExplicitAny: lines are whatever the product printed, and the tests judge it.
export type JsonLine = { readonly type: string } & Readonly<Record<string, any>>

export interface CommandOptions {
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Network namespace to run in; the test's own without it. */
  readonly namespace?: string | undefined
  /** Text for stdin; closed at once without it. */
  readonly input?: string | undefined
}

export interface CommandResult {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
  /** The lines of stdout, each parsed; a line that is not JSON is `{ type: 'NOT JSON', text }`. */
  readonly lines: readonly JsonLine[]
}

const DEFAULT_TIMEOUT_MS = 60_000

/** A command under way. */
export class Command {
  readonly child: ChildProcess
  readonly lines: JsonLine[] = []
  readonly #finished: Promise<CommandResult>
  readonly #waiting = new Set<() => void>()
  readonly #what: string
  #stdout = ''
  #stderr = ''
  #isOver = false

  constructor(args: readonly string[], { environment, namespace, input }: CommandOptions) {
    this.#what = `godwit ${args[0] ?? ''}`
    const words = namespace === undefined ? [LAUNCHER, ...args] : ['ip', 'netns', 'exec', namespace, LAUNCHER, ...args]
    const [program = LAUNCHER, ...rest] = words
    const env: NodeJS.ProcessEnv = { ...process.env, ...environment }
    for (const [name, value] of Object.entries(environment)) if (value === undefined) delete env[name]
    this.child = spawn(program, rest, { env, stdio: ['pipe', 'pipe', 'pipe'] })
    this.child.stdin?.on('error', () => {})
    this.child.stdin?.end(input)
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text
    })
    if (this.child.stdout !== null) {
      createInterface({ input: this.child.stdout }).on('line', (text) => {
        this.#stdout += `${text}\n`
        this.lines.push(parse(text))
        this.#wake()
      })
    }
    this.#finished = new Promise((resolve, reject) => {
      this.child.once('error', reject)
      this.child.once('close', (code) => {
        this.#isOver = true
        this.#wake()
        resolve({ exitCode: code ?? -1, stdout: this.#stdout, stderr: this.#stderr, lines: this.lines })
      })
    })
    this.#finished.catch(() => {})
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake()
  }

  /** What the command has said so far, for the message of a test that fails. */
  get transcript(): string {
    return `${this.#what}\n--- stdout\n${this.#stdout.slice(-4000)}\n--- stderr\n${this.#stderr.slice(-4000)}`
  }

  /** Its end; rejects with all it said when `timeoutMs` pass first. */
  async finished(timeoutMs = DEFAULT_TIMEOUT_MS): Promise<CommandResult> {
    return this.#within(timeoutMs, 'has not ended', this.#finished)
  }

  /** The first line of `type` (and that `isMeant`), past or coming; rejects when the command ends without one. */
  async line(
    type: string,
    isMeant: (line: JsonLine) => boolean = () => true,
    timeoutMs = DEFAULT_TIMEOUT_MS,
  ): Promise<JsonLine> {
    const find = () => this.lines.find((line) => line.type === type && isMeant(line))
    const found = new Promise<JsonLine>((resolve, reject) => {
      const look = () => {
        const line = find()
        if (line !== undefined) resolve(line)
        else if (this.#isOver) reject(new Error(`no ${type}: ${this.transcript}`))
        else return
        this.#waiting.delete(look)
      }
      this.#waiting.add(look)
      look()
    })
    return this.#within(timeoutMs, `has not printed ${type}`, found)
  }

  async #within<T>(timeoutMs: number, complaint: string, promise: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`${complaint} after ${timeoutMs} ms: ${this.transcript}`)), timeoutMs)
    })
    return Promise.race([promise, late]).finally(() => clearTimeout(timer))
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }
}

const parse = (text: string): JsonLine => {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string') {
      return { ...value, type: value.type }
    }
  } catch {
    // Judged below.
  }
  return { type: 'NOT JSON', text }
}
