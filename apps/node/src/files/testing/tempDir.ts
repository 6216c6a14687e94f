/** Temporary folders of a test file: each test gets its own, all are removed afterwards. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach } from 'vitest'

/** Returns a function that makes folders; call it once at the top of a test file. */
export const useTempDirs = (): (() => Promise<string>) => {
  const made: string[] = []
  afterEach(async () => {
    for (const dir of made.splice(0)) await rm(dir, { recursive: true, force: true })
  })
  return async () => {
    const dir = await mkdtemp(join(tmpdir(), 'godwit-files-'))
    made.push(dir)
    return dir
  }
}

/** Writes files by relative path, with the folders they need. A path that ends with `/` is an empty folder. */
export const writeTree = async (root: string, files: Readonly<Record<string, string | Uint8Array>>): Promise<void> => {
  for (const [path, content] of Object.entries(files)) {
    if (path.endsWith('/')) {
      await mkdir(join(root, path), { recursive: true })
      continue
    }
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), content)
  }
}
