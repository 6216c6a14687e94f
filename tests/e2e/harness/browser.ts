/** A real browser for the page of a node: found, started with a fresh profile, signed in by `godwit open --print-url`. */
import { accessSync, constants } from 'node:fs'
import axe from 'axe-core'
import { type Browser, chromium, type Page } from 'playwright-core'
import type { TestNode } from './world.js'

const CANDIDATES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/snap/bin/chromium']

/** The browser's program; undefined where there is none. */
export const findChromium = (): string | undefined =>
  [process.env['GODWIT_TEST_CHROMIUM'] ?? '', ...CANDIDATES].find((path) => {
    try {
      accessSync(path, constants.X_OK)
      return path !== ''
    } catch {
      return false
    }
  })

/** With CI=true there has to be one, and the tests fail without. */
export const mayRunBrowser = (): boolean => findChromium() !== undefined || process.env['CI'] === 'true'

export const startBrowser = (): Promise<Browser> =>
  chromium.launch({
    executablePath: findChromium() ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  })

export interface OpenPage {
  readonly page: Page
  /** What the page's scripts have complained of. */
  readonly complaints: readonly string[]
}

export interface PageOptions {
  readonly width?: number
  readonly colorScheme?: 'light' | 'dark'
}

/** A link that signs in. */
export const linkOf = async (node: TestNode): Promise<string> => {
  const { lines, stderr } = await node.run(['open', '--print-url', '--json'])
  const url: unknown = lines[0]?.['url']
  if (typeof url !== 'string') throw new Error(`no link: ${stderr}`)
  return url
}

/** The page of `node`, signed in, in a profile of its own. */
export const openPageOf = async (browser: Browser, node: TestNode, options: PageOptions = {}): Promise<OpenPage> => {
  const context = await browser.newContext({
    viewport: { width: options.width ?? 1280, height: 900 },
    colorScheme: options.colorScheme ?? 'light',
    locale: 'en-GB',
    reducedMotion: 'reduce',
  })
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (message) => {
    // A node that is away is told by the browser too.
    if (message.type() === 'error' && !message.text().includes('net::ERR_')) complaints.push(message.text())
  })
  await page.goto(await linkOf(node))
  await page.getByRole('navigation', { name: 'Main' }).waitFor()
  return { page, complaints }
}

/** What axe finds wrong with the page as it stands, in a line each. */
export const accessibilityProblems = async (page: Page): Promise<readonly string[]> => {
  // Evaluated by the debugger, since the page's own policy lets no foreign script in.
  await page.evaluate(axe.source)
  const result: { violations: { id: string; help: string; nodes: { html: string }[] }[] } = await page.evaluate(
    'axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] })',
  )
  return result.violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes[0]?.html.slice(0, 160) ?? ''}`)
}

/** Whether something is wider than the screen. */
export const overflows = (page: Page): Promise<boolean> =>
  page.evaluate('document.documentElement.scrollWidth > innerWidth')
