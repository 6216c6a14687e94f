/**
 * Runs the command line as a child process, as a script would: arguments in, NDJSON out. The demo uses nothing else, so
 * what it shows is what a user gets.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** The launcher in the checkout's root, seen from `apps/cli/dist/demo`. */
const LAUNCHER = fileURLToPath(new URL('../../../../godwit', import.meta.url))

/** One line of `--json` output; anything that is not a JSON object is passed over. */
export type JsonLine = Readonly<Record<string, unknown>>

export interface CommandResult {
  readonly exitCode: number
  readonly lines: readonly JsonLine[]
  /** The end of what it said on stderr, for an error message. */
  readonly stderr: string
}

const STDERR_KEPT_CHARACTERS = 2000

/** The environment of a child: this one's with `changes`; undefined removes a variable. */
const environmentWith = (changes: Readonly<Record<string, string | undefined>>): NodeJS.ProcessEnv => {
  const environment: NodeJS.ProcessEnv = { ...process.env, ...changes }
  for (const [name, value] of Object.entries(changes)) if (value === undefined) delete environment[name]
  return environment
}

/** A command under way. `onLine` gets each JSON line as it comes. */
export class GodwitCommand {
  readonly #child: ChildProcess
  readonly finished: Promise<CommandResult>

  /** @param input - what the command reads from stdin; a code belongs here, where the process list does not show it. */
  constructor(
    args: readonly string[],
    environment: Readonly<Record<string, string | undefined>>,
    options: { readonly input?: string; readonly onLine?: (line: JsonLine) => void } = {},
  ) {
    this.#child = spawn(process.execPath, [LAUNCHER, ...args], {
      env: environmentWith(environment),
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    })
    if (options.input !== undefined) {
      // A command that ends without reading its input is judged by its exit code.
      this.#child.stdin?.on('error', () => {})
      this.#child.stdin?.end(`${options.input}\n`)
    }
    this.finished = this.#collect(options.onLine)
  }

  async #collect(onLine: ((line: JsonLine) => void) | undefined): Promise<CommandResult> {
    const { stdout, stderr } = this.#child
    const lines: JsonLine[] = []
    let said = ''
    stderr?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-STDERR_KEPT_CHARACTERS)
    })
    if (stdout !== null) {
      createInterface({ input: stdout }).on('line', (text) => {
        const line = parseLine(text)
        if (line === undefined) return
        lines.push(line)
        onLine?.(line)
      })
    }
    const exitCode = await new Promise<number>((resolve) => {
      this.#child.once('error', () => resolve(1))
      this.#child.once('close', (code) => resolve(code ?? 1))
    })
    return { exitCode, lines, stderr: said }
  }

  /** Asks it to end; SIGTERM, and SIGKILL where that is not heard. */
  async stop(graceMs = 5000): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), graceMs)
    this.#child.kill('SIGTERM')
    await this.finished
    clearTimeout(timer)
  }
}

const parseLine = (text: string): JsonLine | undefined => {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    return { ...value }
  } catch {
    return undefined
  }
}
