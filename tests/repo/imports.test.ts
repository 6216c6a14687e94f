/** The import rule: protocol ← engine ← redis ← apps, and apps know of each other no more than types. */
import { builtinModules } from 'node:module'
import { dirname, join, normalize } from 'node:path'
import { expect, test } from 'vitest'
import { importsOf, type PackageFile, readJson, type SourceFile, sourceFiles, workspaces } from './sources.js'

/** What each package may import of ours. Apps may import every package. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  engine: ['protocol'],
  redis: ['protocol', 'engine'],
}
const PACKAGES = Object.keys(MAY_IMPORT)
const PURE = ['protocol', 'engine']
const BUILT_IN = new Set(builtinModules)

const isRelative = (specifier: string) => specifier.startsWith('.')
const isNode = (specifier: string) => specifier.startsWith('node:') || BUILT_IN.has(specifier)
const packageNameOf = (specifier: string) =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')

const files = sourceFiles()

/** Every import that `isWrong`, as `file: specifier`. */
const violations = (
  isWrong: (file: SourceFile, specifier: string, isTypeOnly: boolean) => boolean,
): readonly string[] =>
  files.flatMap((file) =>
    importsOf(file)
      .filter(({ specifier, isTypeOnly }) => isWrong(file, specifier, isTypeOnly))
      .map(({ specifier }) => `${file.path}: ${specifier}`),
  )

test('there are sources to look at', () => {
  expect(files.length).toBeGreaterThan(20)
})

test('packages import each other in one direction only', () => {
  const wrong = violations((file, specifier, isTypeOnly) => {
    const target = /^@godwit\/([^/]+)/.exec(specifier)?.[1]
    if (target === undefined || target === file.workspace) return false
    if (file.group === 'packages') return !(MAY_IMPORT[file.workspace] ?? []).includes(target)
    if (PACKAGES.includes(target)) return false
    return !(isTypeOnly && specifier === `@godwit/${target}/api`)
  })
  expect(wrong).toEqual([])
})

test('a relative import stays inside its workspace', () => {
  const wrong = violations((file, specifier) => {
    if (!isRelative(specifier)) return false
    const target = normalize(join(dirname(file.path), specifier))
    return !target.startsWith(join(file.group, file.workspace, 'src'))
  })
  expect(wrong).toEqual([])
})

test('protocol and engine know nothing of Node.js', () => {
  const wrong = violations((file, specifier) => PURE.includes(file.workspace) && !file.isForTests && isNode(specifier))
  expect(wrong).toEqual([])
  for (const name of PURE) {
    expect(readJson(`packages/${name}/tsconfig.json`)).toMatchObject({ extends: '../../tsconfig.pure.json' })
  }
  expect(readJson('tsconfig.pure.json')).toMatchObject({ compilerOptions: { types: [], lib: ['ES2023'] } })
})

test('protocol and engine have no clock, no chance and no timers', () => {
  const forbidden =
    /\bDate\.now\b|\bDate\(\s*\)|\bMath\.random\b|\bset(?:Timeout|Interval|Immediate)\b|\bperformance\.|\bprocess\.|\bBuffer\b/
  const wrong = files
    .filter((file) => PURE.includes(file.workspace) && !file.isForTests)
    .flatMap(({ path, code }) => code.split('\n').map((line) => ({ path, line })))
    .filter(({ line }) => forbidden.test(line.replace(/'[^']*'|`[^`]*`/g, '')))
  expect(wrong).toEqual([])
})

test('the packages of npm that protocol and engine use are those that they may', () => {
  const allowed: Readonly<Record<string, readonly string[]>> = { protocol: ['zod'], engine: [] }
  const wrong = violations(
    (file, specifier) =>
      PURE.includes(file.workspace) &&
      !file.isForTests &&
      !isRelative(specifier) &&
      !specifier.startsWith('@godwit/') &&
      !(allowed[file.workspace] ?? []).includes(specifier),
  )
  expect(wrong).toEqual([])
})

test('what a workspace imports, its package.json names', () => {
  const forTests = new Set(Object.keys(readJson<PackageFile>('package.json').devDependencies ?? {}))
  const named = new Map(
    workspaces().map(({ group, name }) => {
      const { dependencies = {}, devDependencies = {} } = readJson<PackageFile>(`${group}/${name}/package.json`)
      return [name, new Set([...Object.keys(dependencies), ...Object.keys(devDependencies)])]
    }),
  )
  const wrong = violations((file, specifier) => {
    if (isRelative(specifier) || isNode(specifier)) return false
    const name = packageNameOf(specifier)
    if (name === `@godwit/${file.workspace}`) return false
    return !(forTests.has(name) && file.isForTests) && named.get(file.workspace)?.has(name) !== true
  })
  expect(wrong).toEqual([])
})

test('there are no barrels', () => {
  expect(files.filter(({ code }) => /^export \* /m.test(code)).map(({ path }) => path)).toEqual([])
})
