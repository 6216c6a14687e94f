/** The web page, in a real browser, against real nodes. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { accessibilityProblems, linkOf, mayRunBrowser, openPageOf, overflows, startBrowser } from './harness/browser.js'
import { ROOT } from './harness/command.js'
import { randomFile } from './harness/files.js'
import { type TestNode, World } from './harness/world.js'

const SCRIPT_MAX_BYTES = 300_000
const MIB = 1024 * 1024

test('the page loads less than 300 KB of compressed script', () => {
  const folder = join(ROOT, 'apps/web/dist/page/assets')
  const scripts = readdirSync(folder).filter((name) => name.endsWith('.js'))
  expect(scripts.length).toBeGreaterThan(0)
  const bytes = scripts.reduce((sum, name) => sum + gzipSync(readFileSync(join(folder, name))).length, 0)
  expect(bytes).toBeLessThan(SCRIPT_MAX_BYTES)
})

test('the page is built for its users, also when a test runner starts the build', () => {
  const folder = join(ROOT, 'apps/web/dist/page/assets')
  const scripts = readdirSync(folder).filter((name) => name.endsWith('.js'))
  expect(scripts.length).toBeGreaterThan(0)
  // Names alone: a failure that prints a whole script tells nobody anything.
  const forDevelopers = scripts.filter((name) => readFileSync(join(folder, name), 'utf8').includes('React DevTools'))
  expect(forDevelopers).toEqual([])
})

describe.runIf(mayRunBrowser())('in a browser', () => {
  let world: World
  let browser: Browser
  let sender: TestNode
  let receiver: TestNode
  let third: TestNode

  beforeAll(async () => {
    world = await World.create()
    sender = world.node('s')
    receiver = world.node('r')
    third = world.node('t')
    browser = await startBrowser()
  })
  afterAll(async () => {
    await browser?.close()
    await world.dispose()
  })

  const place = (page: Page, name: string) => page.getByRole('navigation').getByRole('link', { name }).click()

  /** Adds files on the sender's page and gets their code. */
  const getCode = async (
    page: Page,
    files: readonly { readonly name: string; readonly text: string }[],
    fields: Readonly<Record<string, string>> = {},
  ): Promise<string> => {
    await place(page, 'Send')
    await page
      .getByLabel('Files to send')
      .setInputFiles(files.map(({ name, text }) => ({ name, mimeType: 'text/plain', buffer: Buffer.from(text) })))
    for (const [label, value] of Object.entries(fields)) await page.getByLabel(label, { exact: true }).fill(value)
    await page.getByRole('button', { name: 'Get the code' }).click()
    return codeOn(page)
  }

  const codeOn = async (page: Page): Promise<string> => {
    await page.getByRole('heading', { name: 'Tell the receiver this code' }).waitFor()
    return ((await page.locator('.code').textContent()) ?? '').trim()
  }

  const askFor = async (page: Page, code: string, folder: string): Promise<void> => {
    await place(page, 'Receive')
    await page.getByLabel('Code', { exact: true }).fill(code)
    await page.getByLabel('Save into').fill(folder)
    await page.getByRole('button', { name: 'See what is offered' }).click()
  }

  const says = (page: Page, text: string | RegExp) => page.locator('.headline').filter({ hasText: text }).waitFor()

  test('a link signs in once, and leaves nothing in the address', async () => {
    const link = await linkOf(sender)
    const page = await browser.newPage()
    await page.goto(link)
    await page.getByRole('heading', { name: 'Nothing under way' }).waitFor()
    expect(page.url()).toBe(link.replace(/#.*/, ''))
    await page.reload()
    await page.getByRole('heading', { name: 'Nothing under way' }).waitFor()
    const stranger = await (await browser.newContext()).newPage()
    await stranger.goto(link)
    await stranger.getByRole('heading', { name: 'This link is used up' }).waitFor()
    await stranger.goto(link.replace(/#.*/, 'send'))
    await stranger.getByRole('heading', { name: 'This page is not signed in' }).waitFor()
    const token = readFileSync(join(sender.dataDir, 'token'), 'utf8').trim()
    expect(await page.evaluate('JSON.stringify(sessionStorage)')).not.toContain(token)
    await page.close()
    await stranger.context().close()
  })

  test('two pages send and receive, with the same words on both', async () => {
    const from = await openPageOf(browser, sender)
    const to = await openPageOf(browser, receiver)
    const output = await world.dir('two')
    const files = [
      { name: '夏の写真 ①.txt', text: 'summer' },
      { name: 'رسالة.txt', text: 'letter' },
      { name: 'empty', text: '' },
    ]
    const code = await getCode(from.page, files)
    expect(code).toMatch(/^\d+-\w+-\w+-\w+@/)
    await askFor(to.page, code, output)
    await to.page.getByRole('heading', { name: /offers 3 files/ }).waitFor()
    expect(await accessibilityProblems(to.page)).toEqual([])
    const words = (await to.page.locator('.verification').textContent()) ?? 'none'
    await from.page.getByText(words).waitFor()
    await to.page.getByRole('button', { name: 'Accept and receive' }).click()
    await says(to.page, 'Complete.')
    await says(from.page, 'Complete.')
    for (const { name, text } of files) expect(readFileSync(join(output, name), 'utf8')).toBe(text)
    await to.page.getByRole('heading', { name: /^3 files in/ }).waitFor()
    expect(await accessibilityProblems(from.page)).toEqual([])
    expect([...from.complaints, ...to.complaints]).toEqual([])
    await from.page.context().close()
    await to.page.context().close()
  })

  test('a wrong code says so on both pages, and the room stays open', async () => {
    const from = await openPageOf(browser, sender)
    const to = await openPageOf(browser, receiver)
    const output = await world.dir('wrong')
    const code = await getCode(from.page, [{ name: 'letter', text: 'dear reader' }])
    const wrong = code.replace(/-\w+@/, code.includes('-zoom@') ? '-yodel@' : '-zoom@')
    await askFor(to.page, 'not a code', output)
    await to.page.getByRole('alert').filter({ hasText: 'This is not a code' }).waitFor()
    await askFor(to.page, wrong, output)
    await says(to.page, /The words of the code do not match/)
    await from.page.getByText('Somebody tried a wrong code').waitFor()
    await askFor(to.page, code, output)
    await to.page.getByRole('heading', { name: /offers 1 file/ }).waitFor()
    await to.page.getByRole('button', { name: 'Decline' }).click()
    await says(to.page, /Cancelled|Failed/)
    await from.page.getByText('Declined.').first().waitFor()
    expect(existsSync(join(output, 'letter'))).toBe(false)
    await from.page.context().close()
    await to.page.context().close()
  })

  test('whoever finds the room full waits in line and is told the place', async () => {
    const path = randomFile(join(world.folder, 'in', 'full'), 4 * MIB)
    const { id, code } = await sender.send([path], '--receivers', '2')
    const first = await openPageOf(browser, receiver)
    const second = await openPageOf(browser, third)
    await askFor(first.page, code, await world.dir('first'))
    await first.page.getByRole('button', { name: 'Accept and receive' }).waitFor()
    await askFor(second.page, code, await world.dir('second'))
    await says(second.page, /Place 1 in the line/)
    await first.page.getByRole('button', { name: 'Accept and receive' }).click()
    await second.page.getByRole('button', { name: 'Accept and receive' }).click()
    await says(second.page, 'Complete.')
    await sender.state(id, ['completed'])
    await first.page.context().close()
    await second.page.context().close()
  })

  test('a page that is open catches up by itself when its node was killed', async () => {
    const path = randomFile(join(world.folder, 'in', 'restart'), 24 * MIB)
    const { id, code } = await sender.send([path], '--limit', '2MB/s')
    const { page, complaints } = await openPageOf(browser, sender)
    await page.getByRole('link', { name: 'restart' }).click()
    const receive = receiver.receive(code, await world.dir('restart'))
    await says(page, 'On its way.')
    const port = new URL(page.url()).port
    await sender.respawned(sender.killNode())
    await says(page, 'Complete.')
    await page
      .getByText(/^The connection was lost/)
      .first()
      .waitFor()
    expect((await receive.finished()).exitCode).toBe(0)
    expect(await sender.show(id)).toMatchObject({ state: 'completed' })
    expect(new URL(String((await sender.nodeFile())['url'])).port).toBe(port)
    // The list too, and what is done on one page shows on another.
    await place(page, 'Transfers')
    const link = page.getByRole('link', { name: 'restart' })
    await link.waitFor()
    await sender.respawned(sender.killNode())
    await sender.run(['remove', id])
    await link.waitFor({ state: 'detached' })
    expect(complaints).toEqual([])
    await page.context().close()
  })

  test('a transfer is paused, limited, resumed and cancelled by keyboard alone', async () => {
    const { id } = await sender.send([randomFile(join(world.folder, 'in', 'steered'), MIB)])
    const { page } = await openPageOf(browser, sender)
    await page.getByRole('link', { name: 'steered' }).focus()
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Limit' }).press('Enter')
    await page.getByRole('dialog').getByLabel('At most').fill('5 apples')
    await page.keyboard.press('Enter')
    await page.getByText(/A rate is written like/).waitFor()
    await page.getByRole('dialog').getByLabel('At most').fill('5MB/s')
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Limit: 5.00 MB/s' }).waitFor()
    await page.getByRole('button', { name: 'Plan' }).press('Enter')
    await page.getByRole('dialog').getByLabel('Priority').selectOption('8')
    await page.getByRole('dialog').getByLabel('Daily window').fill('at night')
    await page.keyboard.press('Enter')
    await page.getByText('Written like 22:00-06:00.').waitFor()
    await page.getByRole('dialog').getByLabel('Daily window').fill('')
    await page.getByRole('dialog').getByLabel('Not before').fill('2099-01-31T22:00')
    await page.keyboard.press('Enter')
    await says(page, 'It starts by itself')
    await page.getByText(/^Priority 8 · Runs from 31 Jan/).waitFor()
    await page.getByText('Priority 8 from now on.').waitFor()
    await page.getByRole('button', { name: 'Plan' }).press('Enter')
    await page.getByRole('dialog').getByLabel('Not before').fill('')
    await page.getByRole('dialog').getByRole('button', { name: 'Set the plan' }).press('Enter')
    await says(page, 'Waiting.')
    await page.getByRole('button', { name: 'Pause' }).press('Enter')
    await says(page, 'Paused by you.')
    await page.getByRole('button', { name: 'Resume' }).press('Enter')
    await says(page, 'Waiting.')
    await page.getByRole('button', { name: 'Cancel' }).press('Enter')
    await page.getByRole('dialog').getByRole('button', { name: 'Let it go on' }).press('Enter')
    await page.getByRole('button', { name: 'Cancel' }).press('Enter')
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel the transfer' }).press('Enter')
    await says(page, 'Cancelled.')
    expect(await sender.show(id)).toMatchObject({ state: 'cancelled', limit: 5_000_000, priority: 8 })
    await page.getByRole('button', { name: 'Remove from the list' }).press('Enter')
    await page.getByRole('heading', { name: 'Transfers' }).waitFor()
    expect(await page.getByRole('link', { name: 'steered' }).count()).toBe(0)
    await page.context().close()
  })

  test('a path on the node’s machine is picked and sent from where it lies', async () => {
    const path = randomFile(join(world.folder, 'home', 'Downloads', 'picked'), 1000)
    const { page } = await openPageOf(browser, sender)
    await place(page, 'Send')
    await page.getByRole('button', { name: 'Pick a path' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'picked' }).click()
    await page.getByRole('button', { name: 'Get the code' }).click()
    await codeOn(page)
    await page.getByRole('heading', { name: 'picked' }).waitFor()
    expect(existsSync(path)).toBe(true)
    await page.context().close()
  })

  test.each([
    { width: 360, colorScheme: 'light' },
    { width: 360, colorScheme: 'dark' },
    { width: 1440, colorScheme: 'dark' },
  ] as const)('fits and is accessible at $width pixels, $colorScheme', async (options) => {
    const name = `${'a very long name without any end '.repeat(6)}${'x'.repeat(40)}`
    const { id } = await sender.send([
      randomFile(join(world.folder, `in-${options.width}-${options.colorScheme}`, name), 1000),
    ])
    const { page, complaints } = await openPageOf(browser, sender, options)
    const look = async (): Promise<void> => {
      expect(await overflows(page)).toBe(false)
      expect(await accessibilityProblems(page)).toEqual([])
    }
    await page.getByRole('heading', { name: 'Transfers' }).waitFor()
    await look()
    await place(page, 'Receive')
    await look()
    await place(page, 'Send')
    await page.getByLabel('Files to send').setInputFiles([{ name, mimeType: 'text/plain', buffer: Buffer.from('x') }])
    await look()
    await page.getByRole('button', { name: 'Pick a path' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Take this folder' }).waitFor()
    await look()
    await page.keyboard.press('Escape')
    await place(page, 'Transfers')
    await page.locator(`a[href="/transfers/${id}"]`).click()
    await codeOn(page)
    await look()
    expect(complaints).toEqual([])
    await page.context().close()
  })
})
