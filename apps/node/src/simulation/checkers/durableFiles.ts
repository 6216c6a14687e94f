/** Where the bytes of a transfer's files are durable on the receiver: in the staging folder, or under a name of their own. */
import { check, isEqual, type WorldView } from './checker.js'

/** Whether these bytes of a file would be there after the worst power cut. */
export const isDurable = (world: WorldView, file: number, offset: number, length: number): boolean => {
  const sent = world.files[file]
  check(sent !== undefined, 'world', `there is a file ${file}`)
  const wanted = sent.bytes.subarray(offset, offset + length)
  return placesOf(world, file, sent.path).some((path) => {
    const found = world.receiver.host.disk.durableFile(path)
    return found !== undefined && isEqual(found.subarray(offset, offset + length), wanted)
  })
}

/** Whether a whole file is durable below the output folder, under its name or a numbered one of its top. */
export const isPublished = (world: WorldView, file: number): boolean => {
  const sent = world.files[file]
  check(sent !== undefined, 'world', `there is a file ${file}`)
  return finalPaths(sent.path).some((path) => {
    const found = world.receiver.host.disk.durableFile(`/out/${path}`)
    return found !== undefined && isEqual(found, sent.bytes)
  })
}

const placesOf = (world: WorldView, file: number, path: string): readonly string[] => {
  const staging = `/out/.godwit-${world.receiverTransferId}`
  const part = `${staging}/parts/${Math.floor(file / 1000)}/f${file}`
  const inFolder = path.split('/').slice(1).join('/')
  const trees = inFolder === '' ? [] : [0, 1, 2, 3, 4, 5, 6, 7].map((top) => `${staging}/tree/${top}/${inFolder}`)
  return [part, ...trees, ...finalPaths(path).map((one) => `/out/${one}`)]
}

/** The names that a path may have got: its top is numbered where somebody has its name. */
export const finalPaths = (path: string): readonly string[] => {
  const [top = '', ...rest] = path.split('/')
  const dot = rest.length === 0 ? top.lastIndexOf('.') : -1
  const [stem, extension] = dot > 0 ? [top.slice(0, dot), top.slice(dot)] : [top, '']
  return [top, `${stem} (1)${extension}`, `${stem} (2)${extension}`, `${stem} (3)${extension}`].map((one) =>
    [one, ...rest].join('/'),
  )
}
