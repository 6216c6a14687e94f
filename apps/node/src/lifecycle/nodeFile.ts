/** `node.json`: how a client finds the node of a data directory. */
import { readFileSync, rmSync } from 'node:fs'
import type { NodeFile } from '@godwit/protocol/api'
import { nodeFileSchema } from '@godwit/protocol/api'
import { dataDirFiles } from './dataDir.js'
import { writePrivateFile } from './privateFile.js'

/** Writes `node.json` (0600). Call it when the API answers, not before: clients take it for that. */
export const writeNodeFile = (dataDir: string, file: NodeFile): void =>
  writePrivateFile(dataDirFiles(dataDir).nodeFile, `${JSON.stringify(file)}\n`)

/** Reads `node.json`; undefined where it is missing or not one. It may be left over from a node that was killed. */
export const readNodeFile = (dataDir: string): NodeFile | undefined => {
  try {
    return nodeFileSchema.safeParse(JSON.parse(readFileSync(dataDirFiles(dataDir).nodeFile, 'utf8'))).data
  } catch {
    return undefined
  }
}

/** Removes `node.json`, unless another process has written its own meanwhile. */
export const removeNodeFile = (dataDir: string, pid: number = process.pid): void => {
  if (readNodeFile(dataDir)?.pid === pid) rmSync(dataDirFiles(dataDir).nodeFile, { force: true })
}
