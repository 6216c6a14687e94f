/** The files of a drop or of a file dialog, folders opened: each with the path that it gets in the transfer. */

export interface AddedFile {
  /** Relative, joined by `/`. */
  readonly path: string
  readonly file: File
}

const childrenOf = (reader: FileSystemDirectoryReader): Promise<readonly FileSystemEntry[]> =>
  new Promise((resolve, reject) => reader.readEntries((entries) => resolve(entries), reject))

const isFile = (entry: FileSystemEntry): entry is FileSystemFileEntry => entry.isFile
const isFolder = (entry: FileSystemEntry): entry is FileSystemDirectoryEntry => entry.isDirectory

const filesOfEntry = async (entry: FileSystemEntry, above: string): Promise<AddedFile[]> => {
  const path = above === '' ? entry.name : `${above}/${entry.name}`
  if (isFile(entry)) {
    const file = await new Promise<File>((resolve, reject) => entry.file(resolve, reject))
    return [{ path, file }]
  }
  if (!isFolder(entry)) return []
  const found: AddedFile[] = []
  const reader = entry.createReader()
  // A reader hands its children over in portions, until one is empty.
  for (let portion = await childrenOf(reader); portion.length > 0; portion = await childrenOf(reader)) {
    for (const child of portion) found.push(...(await filesOfEntry(child, path)))
  }
  return found
}

/** @param transfer - must be read while its event is handled: what is taken from it is taken before the first wait. */
export const filesOfDrop = async (transfer: DataTransfer): Promise<AddedFile[]> => {
  const entries = [...transfer.items].flatMap((item) => {
    const entry = item.kind === 'file' ? item.webkitGetAsEntry() : null
    return entry === null ? [] : [entry]
  })
  const plain = entries.length > 0 ? [] : filesOfInput(transfer.files)
  const found: AddedFile[] = [...plain]
  for (const entry of entries) found.push(...(await filesOfEntry(entry, '')))
  return found
}

export const filesOfInput = (files: FileList): AddedFile[] =>
  [...files].map((file) => ({ path: file.webkitRelativePath === '' ? file.name : file.webkitRelativePath, file }))

/** The files added to those that are there; one of the same path takes the other's place. */
export const joinFiles = (before: readonly AddedFile[], added: readonly AddedFile[]): readonly AddedFile[] => [
  ...new Map([...before, ...added].map((one) => [one.path, one])).values(),
]

/** What is at the top of the added files: a folder stands for all that is in it. */
export const topsOf = (files: readonly AddedFile[]) => {
  const tops = new Map<string, { name: string; files: number; bytes: number; isFolder: boolean }>()
  for (const { path, file } of files) {
    const name = path.split('/', 1)[0] ?? path
    const top = tops.get(name) ?? { name, files: 0, bytes: 0, isFolder: path !== name }
    tops.set(name, { ...top, files: top.files + 1, bytes: top.bytes + file.size })
  }
  return [...tops.values()]
}
