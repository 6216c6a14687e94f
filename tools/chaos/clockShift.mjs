/**
 * Loaded into a node before everything else (`node --import`): moves its wall clock by as many milliseconds as the file
 * that GODWIT_CHAOS_CLOCK names says, from a moment to the next. It covers Date in every thread of the node, which is all
 * that the node knows of the wall clock; Redis and the system keep theirs. The monotonic clock is not touched.
 */
import { readFileSync } from 'node:fs'

const file = process.env['GODWIT_CHAOS_CLOCK']
const LOOK_EVERY_MS = 50

if (file !== undefined) {
  const RealDate = Date
  let shiftMs = 0
  const look = () => {
    try {
      const read = Number(readFileSync(file, 'utf8'))
      if (Number.isFinite(read)) shiftMs = read
    } catch {
      shiftMs = 0
    }
  }
  look()
  setInterval(look, LOOK_EVERY_MS).unref()
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, args, newTarget) =>
      Reflect.construct(target, args.length === 0 ? [RealDate.now() + shiftMs] : args, newTarget),
    apply: () => new RealDate(RealDate.now() + shiftMs).toString(),
    get: (target, name) => (name === 'now' ? () => RealDate.now() + shiftMs : Reflect.get(target, name)),
  })
}
