/**
 * Source files as programs of their own, for tests that need real processes: a test must not run against a stale build.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const SOURCE = fileURLToPath(new URL('../../', import.meta.url))
/** Inside the package, so that its imports are found; ignored by git. */
const BUILD = join(SOURCE, '..', 'dist')

export interface Transpiled {
  /** Path of a source file's program, by its path below `src` (`lifecycle/processLock.ts`). */
  path(source: string): string
  remove(): void
}

/** Translates the named files (and only these) of `apps/node/src` into a new folder. */
export const transpile = (sources: readonly string[]): Transpiled => {
  mkdirSync(BUILD, { recursive: true })
  const folder = mkdtempSync(join(BUILD, 'test-'))
  const path = (source: string): string => join(folder, source.replace(/\.ts$/, '.js'))
  for (const source of sources) {
    const { outputText } = ts.transpileModule(readFileSync(join(SOURCE, source), 'utf8'), {
      compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023, verbatimModuleSyntax: true },
    })
    mkdirSync(dirname(path(source)), { recursive: true })
    writeFileSync(path(source), outputText)
  }
  return { path, remove: () => rmSync(folder, { recursive: true, force: true }) }
}
