import { expect, test } from 'vitest'
import { createCoalescer } from '../../../gateway/consume/coalesce.ts'
import { createManualClock, settled } from '../../helpers/manual-clock.ts'

function setUp(lingerMs: number, answer: (batch: readonly number[]) => readonly (Error | undefined)[] = () => []) {
  const clock = createManualClock()
  const batches: (readonly number[])[] = []
  const add = createCoalescer<number>({
    max: 3,
    lingerMs,
    clock,
    async flush(batch) {
      batches.push(batch)
      return answer(batch)
    },
  })
  return { clock, batches, add }
}

test('a full batch leaves at once, a part of one after the wait', async () => {
  const { clock, batches, add } = setUp(50)
  const all = [1, 2, 3, 4].map(add)
  expect(batches).toEqual([[1, 2, 3]])
  await clock.advance(49)
  expect(batches).toHaveLength(1)
  await clock.advance(1)
  expect(batches).toEqual([[1, 2, 3], [4]])
  await Promise.all(all)
})

test('without a wait, what came in one turn leaves together', async () => {
  const { batches, add } = setUp(0)
  await Promise.all([add(1), add(2)])
  await add(3)
  expect(batches).toEqual([[1, 2], [3]])
})

test('each caller learns the fate of its own', async () => {
  const { add } = setUp(0, (batch) => batch.map((entry) => (entry === 2 ? new Error('two') : undefined)))
  expect((await Promise.allSettled([add(1), add(2), add(3)])).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  const broken = setUp(0, () => {
    throw new Error('away')
  })
  await expect(broken.add(1)).rejects.toThrow('away')
  await settled()
})
