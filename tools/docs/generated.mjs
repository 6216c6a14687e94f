/** The documents that are made from the code, with their texts: written by `writeDocs.mjs`, compared by a test. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { errorsDoc } from './errorsDoc.mjs'
import { limitsDoc } from './limitsDoc.mjs'

/**
 * @param {string} root - the checkout, built.
 * @returns {Promise<readonly { path: string, text: string }[]>}
 */
export async function generatedDocs(root) {
  const protocol = join(root, 'packages', 'protocol')
  const { ERRORS, EXIT } = await import(pathToFileURL(join(protocol, 'dist', 'errors.js')).href)
  const limits = await import(pathToFileURL(join(protocol, 'dist', 'limits.js')).href)
  const limitsSource = readFileSync(join(protocol, 'src', 'limits.ts'), 'utf8')
  return [
    { path: join('docs', 'errors.md'), text: errorsDoc(ERRORS, EXIT) },
    { path: join('docs', 'limits.md'), text: limitsDoc(limitsSource, limits) },
  ]
}
