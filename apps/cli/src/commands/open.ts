/**
 * `godwit open`: opens the web page of this user's node, signed in by a link that is good once and for a minute.
 *
 * Arguments of a process can be read by every user of the machine, so the browser is not given the link: it is given a
 * file that only this user can read, which leads there.
 */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { EXIT } from '@godwit/protocol/errors'
import { TICKET_TTL_MS } from '@godwit/protocol/limits'
import { readNodeFile } from '../dataDir.js'
import { printable } from '../render/printable.js'
import type { CommandContext, JsonOption, RegisterCommand } from './command.js'
import { JSON_OPTION, outputOf } from './command.js'

/** Milliseconds between two looks whether the page has signed in. */
const LOOK_EVERY_MS = 250

interface OpenOptions extends JsonOption {
  readonly printUrl?: boolean
}

/** The page that leads a browser to `url` without a script. */
const leadingPage = (url: string): string =>
  `<!doctype html><meta charset="utf-8"><meta name="referrer" content="no-referrer">` +
  `<meta http-equiv="refresh" content="0; url=${url}"><title>Godwit</title><a href="${url}">Open Godwit</a>\n`

const openerOf = (platform: NodeJS.Platform): string => (platform === 'darwin' ? 'open' : 'xdg-open')

/** Starts the browser. Resolves with false where there is no way to, and it has said so at once. */
const startBrowser = (file: string, env: NodeJS.ProcessEnv): Promise<boolean> =>
  new Promise((resolve) => {
    const child = spawn(openerOf(process.platform), [file], { env, detached: true, stdio: 'ignore' })
    child.once('error', () => resolve(false))
    child.once('exit', (code) => resolve(code === 0))
    // A browser that was started for it stays in the foreground: then it has worked.
    child.once('spawn', () => {
      child.unref()
      setTimeout(() => resolve(true), 2000).unref()
    })
  })

/** Waits until the page has signed in. @returns whether it has. */
const signedIn = async (context: CommandContext, ticket: string): Promise<boolean> => {
  const deadline = performance.now() + TICKET_TTL_MS
  while (performance.now() < deadline && !context.io.interrupt.aborted) {
    const state = await context.session.call((client) => client.page.ticketState.mutate({ ticket }))
    if (state !== 'waiting') return state === 'used'
    await sleep(LOOK_EVERY_MS)
  }
  return false
}

const run = async (context: CommandContext, options: OpenOptions): Promise<number> => {
  const output = outputOf(context, options)
  const { io, session } = context
  const { status } = await session.open()
  const address = readNodeFile(session.dataDir)?.url ?? status.address
  const { ticket } = await session.call((client) => client.page.issueTicket.mutate())
  const url = `${address}/#ticket=${ticket}`
  if (options.printUrl === true) {
    output.result({ type: 'page.url' as const, url, validSeconds: TICKET_TTL_MS / 1000 }, () => url)
    if (!output.isJson) output.say('The link is good once, within a minute.')
    return EXIT.ok
  }
  const file = join(session.dataDir, `open-${randomBytes(8).toString('hex')}.html`)
  writeFileSync(file, leadingPage(url), { mode: 0o600, flag: 'wx' })
  try {
    const isStarted = await startBrowser(file, io.env)
    if (isStarted && (await signedIn(context, ticket))) {
      output.result({ type: 'page.opened' as const, address }, () => 'The page is open in your browser.')
      return EXIT.ok
    }
  } finally {
    rmSync(file, { force: true })
  }
  if (io.interrupt.aborted) return EXIT.interrupted
  // The first link may have been seen by whatever did not open it.
  const { ticket: another } = await session.call((client) => client.page.issueTicket.mutate())
  const link = `${address}/#ticket=${another}`
  output.result(
    { type: 'page.url' as const, url: link, validSeconds: TICKET_TTL_MS / 1000 },
    () => `No browser could be opened here. Open this link within a minute, it is good once:\n${printable(link)}`,
  )
  return EXIT.ok
}

export const registerOpen: RegisterCommand = (program, context, done) => {
  program
    .command('open')
    .description('open the web page of this node in a browser, signed in')
    .option('--print-url', 'only print a link that signs in, good once and for a minute')
    .option(...JSON_OPTION)
    .action(async (options: OpenOptions) => done(await run(context, options)))
}
