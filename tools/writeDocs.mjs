/** Writes the documents that are made from the code: `node tools/writeDocs.mjs`, after a build. */
import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { generatedDocs } from './docs/generated.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
for (const { path, text } of await generatedDocs(root)) {
  writeFileSync(join(root, path), text)
  console.log(path)
}
