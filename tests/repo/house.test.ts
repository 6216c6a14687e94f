/** Rules of the repository that no compiler holds. */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { generatedDocs } from '../../tools/docs/generated.mjs'
import { markdownFiles, type PackageFile, ROOT, readJson, sourceFiles, workspaces } from './sources.js'

const LINES_MAX = 500
/** Lint rules that nothing in packages and apps may switch off. */
const FIRM_RULES = ['noExplicitAny', 'noNonNullAssertion', 'noDefaultExport'] as const

test('documents that are made from the code are equal to it', async () => {
  for (const { path, text } of await generatedDocs(ROOT)) {
    expect(readFileSync(join(ROOT, path), 'utf8'), `${path}: run node tools/writeDocs.mjs`).toBe(text)
  }
})

test('links between documents lead somewhere', () => {
  const broken = markdownFiles().flatMap(({ path, text }) =>
    [...text.replace(/```[\s\S]*?```/g, '').matchAll(/\]\(([^)\s#]+)[^)]*\)/g)]
      .map(([, target]) => target ?? '')
      .filter((target) => !/^[a-z]+:/.test(target) && !existsSync(join(ROOT, dirname(path), target)))
      .map((target) => `${path}: ${target}`),
  )
  expect(broken).toEqual([])
})

test('the lock names no registry', () => {
  const lock = readFileSync(join(ROOT, 'package-lock.json'), 'utf8')
  expect(lock.match(/https?:\/\/[^"]+\.tgz/g)).toBeNull()
})

test('versions of dependencies are exact', () => {
  const manifests = ['package.json', ...workspaces().map(({ group, name }) => join(group, name, 'package.json'))]
  const loose = manifests.flatMap((path) => {
    const { dependencies = {}, devDependencies = {} } = readJson<PackageFile>(path)
    return Object.entries({ ...dependencies, ...devDependencies })
      .filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(String(version)))
      .map(([name, version]) => `${path}: ${name} ${version}`)
  })
  expect(loose).toEqual([])
})

test('the compiler builds every workspace', () => {
  const { references } = readJson<{ references: readonly { readonly path: string }[] }>('tsconfig.json')
  const built = references.map(({ path }) => path).sort()
  const compiled = workspaces()
    .map(({ group, name }) => `${group}/${name}`)
    .filter((path) => existsSync(join(ROOT, path, 'tsconfig.json')))
  expect(built).toEqual([...compiled].sort())
})

test('any, non-null assertions and default exports are errors, and nothing switches that off', () => {
  const { linter } = readJson<{ linter: { rules: Record<string, Record<string, string>> } }>('biome.json')
  const rules: Record<string, string> = { ...linter.rules['style'], ...linter.rules['suspicious'] }
  for (const rule of FIRM_RULES) expect(rules[rule], rule).toBe('error')
  const suppressed = sourceFiles().filter(({ text }) =>
    FIRM_RULES.some((rule) => new RegExp(`biome-ignore[^\\n]*${rule}`).test(text)),
  )
  expect(suppressed.map(({ path }) => path)).toEqual([])
})

test('no file is longer than a reader can hold', () => {
  const long = sourceFiles().filter(({ text, isForTests }) => !isForTests && text.split('\n').length > LINES_MAX)
  expect(long.map(({ path }) => path)).toEqual([])
})

test('a source file opens with what it is', () => {
  const silent = sourceFiles().filter(
    ({ text, path }) => !/\.test\.tsx?$/.test(path) && !/^(#!.*\n)?\s*(\/\*\*|\/\/)/.test(text),
  )
  expect(silent.map(({ path }) => path)).toEqual([])
})

test('nothing is left for later in the sources', () => {
  const later = sourceFiles().filter(({ text }) => /\b(?:TODO|FIXME|XXX|HACK)\b/.test(text))
  expect(later.map(({ path }) => path)).toEqual([])
})

test('the commands of the house can be run', () => {
  for (const path of ['godwit', 'test', '.ci/run']) {
    expect(statSync(join(ROOT, path)).mode & 0o111, path).not.toBe(0)
  }
})
