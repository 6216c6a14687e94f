import { expect, test } from 'vitest'
import { CleanUp } from './cleanUp.mjs'

test('the last thing made is the first to go, and what was taken away before is not taken away again', async () => {
  const gone: string[] = []
  const cleanUp = new CleanUp()
  cleanUp.add(() => gone.push('first'))
  const early = cleanUp.add(() => gone.push('early'))
  cleanUp.add(async () => gone.push('last'))
  await early()
  await cleanUp.run()
  await early()
  expect(gone).toEqual(['early', 'last', 'first'])
})
