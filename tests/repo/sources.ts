/** Reads the repository's own files for the tests that hold its rules. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

export interface SourceFile {
  /** Relative to the root. */
  readonly path: string
  readonly text: string
  /** The same without comments and with the contents of strings kept. */
  readonly code: string
  /** `protocol`, `engine`, `redis`, `rendezvous`, `node`, `cli` … */
  readonly workspace: string
  readonly group: 'packages' | 'apps'
  /** Tests, and what only tests use. */
  readonly isForTests: boolean
}

const filesBelow = (folder: string, ending: RegExp): readonly string[] =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory())
      return entry.name === 'node_modules' || entry.name === 'dist' ? [] : filesBelow(path, ending)
    return ending.test(entry.name) ? [path] : []
  })

export const workspaces = (): readonly { readonly group: 'packages' | 'apps'; readonly name: string }[] =>
  (['packages', 'apps'] as const).flatMap((group) => readdirSync(join(ROOT, group)).map((name) => ({ group, name })))

/** Every TypeScript source of the workspaces. */
export const sourceFiles = (): readonly SourceFile[] =>
  workspaces().flatMap(({ group, name }) =>
    filesBelow(join(ROOT, group, name, 'src'), /\.tsx?$/).map((file) => {
      const text = readFileSync(file, 'utf8')
      const path = relative(ROOT, file)
      const isForTests = /\.test\.tsx?$|\/test[A-Z]\w*\.ts$/.test(path) || path.includes('/testing/')
      return { path, text, code: withoutComments(text), workspace: name, group, isForTests }
    }),
  )

export const markdownFiles = (): readonly { readonly path: string; readonly text: string }[] =>
  [
    ...readdirSync(ROOT)
      .filter((name) => name.endsWith('.md'))
      .map((name) => join(ROOT, name)),
    ...filesBelow(join(ROOT, 'docs'), /\.md$/),
  ].map((file) => ({ path: relative(ROOT, file), text: readFileSync(file, 'utf8') }))

/** Comments become spaces; strings and templates stay, so that specifiers can be read and `//` in a URL is no comment. */
const withoutComments = (text: string): string =>
  text.replace(
    /('(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`)|\/\/[^\n]*|\/\*[\s\S]*?\*\//g,
    (_all, string) => string ?? ' ',
  )

export interface Import {
  readonly specifier: string
  /** Only types: nothing of it is there at run time. */
  readonly isTypeOnly: boolean
}

/** Static imports, re-exports and dynamic imports of a file. */
export const importsOf = ({ code }: SourceFile): readonly Import[] => {
  const statics = code.matchAll(/^\s*(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?['"]([^'"]+)['"]/gm)
  const dynamics = code.matchAll(/\bimport\(\s*['"]([^'"]+)['"]\s*\)/g)
  return [
    ...[...statics].map(([, type, specifier]) => ({ specifier: specifier ?? '', isTypeOnly: type !== undefined })),
    ...[...dynamics].map(([, specifier]) => ({ specifier: specifier ?? '', isTypeOnly: false })),
  ]
}

/** A JSON file of the repository, in the shape that the caller expects: a wrong expectation fails its test. */
export const readJson = <T>(path: string): T => JSON.parse(readFileSync(join(ROOT, path), 'utf8'))

/** The part of a package.json that the tests read. */
export interface PackageFile {
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
}
