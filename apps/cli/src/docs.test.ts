/** Holds the reference and the man page to the program: every command and option is in them, and no other. */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { runProgram } from './program.js'
import { createFakeIo } from './testing/fakeIo.js'

const helpOf = async (argv: readonly string[]): Promise<string> => {
  const io = createFakeIo()
  await runProgram([...argv, '--help'], io)
  return io.out()
}

const optionsIn = (text: string): Set<string> =>
  new Set([...text.matchAll(/--[a-z][a-z-]*/g)].map(([option]) => option))

const commands = async (): Promise<string[]> =>
  [...(await helpOf([])).matchAll(/^ {2}([a-z]+) /gm)].flatMap(([, name]) =>
    name === undefined || name === 'help' ? [] : [name],
  )

describe.each(['../../../docs/cli.md', '../../../man/godwit.1'])('%s', (path) => {
  // troff writes a hyphen that is to stay one as \-.
  const text = readFileSync(new URL(path, import.meta.url), 'utf8').replaceAll('\\-', '-')

  test('names every command and every option, and no option that does not exist', async () => {
    const known = new Set(['--help'])
    const names = await commands()
    expect(names.length).toBeGreaterThan(15)
    for (const name of names) {
      expect(text).toMatch(new RegExp(`\\b${name}\\b`))
      const helps = [await helpOf([name]), ...(name === 'node' ? [await helpOf(['node', 'start'])] : [])]
      for (const option of helps.flatMap((help) => [...optionsIn(help)])) known.add(option)
    }
    const written = optionsIn(text)
    for (const option of known) if (option !== '--help' && option !== '--json') expect([...written]).toContain(option)
    for (const option of written) expect([...known]).toContain(option)
  })
})
