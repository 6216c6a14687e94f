/**
 * The files of the web page, read once into memory: a request can only name one of them, so no path of a request ever
 * reaches the file system. They hold nothing secret.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, extname, join } from 'node:path'

export interface PageFile {
  readonly contentType: string
  readonly body: Buffer
}

/** By the path of the request, beginning with `/`. */
export type PageFiles = ReadonlyMap<string, PageFile>

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
}

/** What the page may do: run and load what this node serves, talk to this node, and nothing else. */
export const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "font-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** The paths under which the page itself stands: it reads the rest from its address. */
const VIEWS = /^\/(?:send|receive|transfers\/tr[a-z2-7]{16})?$/

/** Where the built page lies. */
const builtPage = (): string => dirname(createRequire(import.meta.url).resolve('@godwit/web/page'))

/** The files of the page in `folder`; none where it has not been built. */
export const readPageFiles = (folder: string = builtPage()): PageFiles => {
  const files = new Map<string, PageFile>()
  const read = (path: string): void => {
    for (const entry of readdirSync(join(folder, path), { withFileTypes: true })) {
      const below = `${path}/${entry.name}`
      if (entry.isDirectory()) {
        read(below)
        continue
      }
      const contentType = CONTENT_TYPES[extname(entry.name)]
      if (contentType !== undefined) files.set(below, { contentType, body: readFileSync(join(folder, below)) })
    }
  }
  try {
    read('')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
  }
  return files
}

/** What a request for `path` (without its query) gets. */
export const pageFileFor = (files: PageFiles, path: string): PageFile | undefined =>
  files.get(VIEWS.test(path) ? '/index.html' : path)
