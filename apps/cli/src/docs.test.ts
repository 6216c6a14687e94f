/** Holds the README, the reference and the man page to the program: every command and option is in them, and no other. */
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

const commandsIn = (help: string): string[] =>
  [...help.matchAll(/^ {2}([a-z]+) /gm)].flatMap(([, name]) => (name === undefined || name === 'help' ? [] : [name]))

const commands = async (): Promise<string[]> => commandsIn(await helpOf([]))

describe.each(['../../../README.md', '../../../docs/cli.md', '../../../man/godwit.1'])('%s', (path) => {
  // troff writes a hyphen that is to stay one as \-.
  const text = readFileSync(new URL(path, import.meta.url), 'utf8').replaceAll('\\-', '-')

  test('names every command and every option, and no option that does not exist', async () => {
    const known = new Set(['--help'])
    const names = await commands()
    expect(names.length).toBeGreaterThan(15)
    for (const name of names) {
      expect(text).toMatch(new RegExp(`\\b${name}\\b`))
      const help = await helpOf([name])
      for (const option of optionsIn(help)) known.add(option)
      if (name !== 'node') continue
      const parts = commandsIn(help)
      expect(parts.length).toBeGreaterThan(4)
      for (const part of parts) {
        expect(text).toMatch(new RegExp(`\\b${part}\\b`))
        for (const option of optionsIn(await helpOf(['node', part]))) known.add(option)
      }
    }
    const written = optionsIn(text)
    for (const option of known) if (option !== '--help' && option !== '--json') expect([...written]).toContain(option)
    for (const option of written) expect([...known]).toContain(option)
  })
})
