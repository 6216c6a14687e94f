/**
 * Makes the pictures of the README: two nodes of this machine, files between them, and the page in a real browser.
 * `npm run screenshots`; needs Chromium (Debian and Ubuntu: apt-get install chromium).
 */
import { execFileSync } from 'node:child_process'
import { closeSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const IMAGES = join(ROOT, 'docs', 'images')
const MIB = 1024 * 1024

/** @typedef {{ dataDir: string, name: string }} Node */

/** @param {Node} node @param {string[]} args @param {string} [input] @returns {string} the first line of stdout. */
function godwit({ dataDir, name }, args, input = '') {
  const env = { ...process.env, GODWIT_DATA_DIR: dataDir, GODWIT_DEVICE_NAME: name, GODWIT_RENDEZVOUS: '' }
  const said = execFileSync(join(ROOT, 'godwit'), args, {
    env,
    input,
    encoding: 'utf8',
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  return said.split('\n', 1)[0] ?? ''
}

/** @param {Node} node @param {string[]} args @returns {{ transferId: string, code: string }} */
const send = (node, args) => JSON.parse(godwit(node, ['send', '--detach', '--json', ...args]))

/** Starts a node, on a busy machine at the second or third try. @param {Node} node */
function start(node) {
  for (let tries = 1; ; tries += 1) {
    try {
      return godwit(node, ['node', 'start', '--json'])
    } catch (error) {
      if (tries === 4) throw error
    }
  }
}

/** A file of zeros that takes no room. @param {string} path @param {number} bytes */
function emptyFile(path, bytes) {
  const file = openSync(path, 'w')
  ftruncateSync(file, bytes)
  closeSync(file)
  return path
}

async function main() {
  mkdirSync(IMAGES, { recursive: true })
  const folder = mkdtempSync('/tmp/godwit-shots-')
  const sender = { dataDir: join(folder, 's'), name: 'ada’s laptop' }
  const receiver = { dataDir: join(folder, 'r'), name: 'studio' }
  const browser = await chromium.launch({
    executablePath: process.env['GODWIT_TEST_CHROMIUM'] ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  })
  /** @param {Node} node @param {{ width: number, height: number, colorScheme: 'light' | 'dark' }} options */
  const open = async (node, { width, height, colorScheme }) => {
    const context = await browser.newContext({ viewport: { width, height }, colorScheme, locale: 'en-GB' })
    const page = await context.newPage()
    await page.goto(godwit(node, ['open', '--print-url']))
    await page.getByRole('navigation', { name: 'Main' }).waitFor()
    return page
  }
  /** @param {import('playwright-core').Page} page @param {string} name */
  const shoot = (page, name) => page.screenshot({ path: join(IMAGES, `${name}.png`), animations: 'disabled' })
  try {
    start(sender)
    start(receiver)
    const out = join(folder, 'Received')
    const photos = join(folder, 'Harvest photos')
    for (const path of [out, photos]) mkdirSync(path)
    for (let index = 1; index <= 12; index += 1)
      emptyFile(join(photos, `field-${index}.jpg`), 3 * MIB + index * 100_000)
    writeFileSync(join(folder, 'Übergabe – letzte Fassung.txt'), 'letter')
    const desktop = { width: 1100, height: 760, colorScheme: /** @type {const} */ ('light') }

    const film = send(sender, [emptyFile(join(folder, 'Wadden Sea.mkv'), 700 * MIB), '--limit', '12MB/s'])
    const from = await open(sender, { ...desktop, height: 560 })
    await from.getByRole('link', { name: 'Wadden Sea.mkv' }).click()
    await from.getByRole('heading', { name: 'Tell the receiver this code' }).waitFor()
    await shoot(from, 'code')

    godwit(receiver, ['receive', '--code-stdin', '--output', out, '--detach', '--yes'], `${film.code}\n`)
    const letters = send(sender, [join(folder, 'Übergabe – letzte Fassung.txt')])
    godwit(receiver, ['receive', '--code-stdin', '--output', out, '--yes'], `${letters.code}\n`)
    const offered = send(sender, [photos, '--receivers', '3'])
    const to = await open(receiver, { width: 390, height: 800, colorScheme: 'dark' })
    await to.getByRole('navigation').getByRole('link', { name: 'Receive' }).click()
    await to.getByLabel('Code', { exact: true }).fill(offered.code)
    await to.getByLabel('Save into').fill(out)
    await to.getByRole('button', { name: 'See what is offered' }).click()
    await to.getByRole('button', { name: 'Accept and receive' }).waitFor()
    await shoot(to, 'offer')

    await from.setViewportSize({ width: desktop.width, height: 560 })
    await from.getByRole('navigation').getByRole('link', { name: 'Transfers' }).click()
    await from.getByText('On its way').waitFor()
    await from.mouse.move(0, 0)
    await shoot(from, 'list')

    await from.setViewportSize({ width: desktop.width, height: 1050 })
    await from.getByRole('link', { name: 'Wadden Sea.mkv' }).click()
    const bar = from.locator('.transfer-head [role=progressbar]')
    while (Number(await bar.getAttribute('aria-valuenow')) < 40) await from.waitForTimeout(200)
    await from.getByRole('img', { name: /of 700 chunks arrived/ }).waitFor()
    await from.getByText('Accepted.').waitFor()
    await shoot(from, 'transfer')
  } finally {
    await browser.close()
    for (const node of [sender, receiver]) godwit(node, ['node', 'stop', '--json'])
    rmSync(folder, { recursive: true, force: true })
  }
}

await main()
