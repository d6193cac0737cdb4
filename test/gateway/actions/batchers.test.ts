import { expect, test } from 'vitest'
import type { Batcher } from '../../../gateway/actions/batch.ts'
import { createBatchers } from '../../../gateway/actions/batchers.ts'

const batcher = (idle: boolean): Batcher<string> => ({ isIdle: () => idle, add: () => undefined, drained: async () => undefined })

test('a target keeps its batcher', () => {
  const batchers = createBatchers(() => batcher(true))
  const first = batchers.of('a')
  expect(batchers.of('a')).toBe(first)
  expect(batchers.of('b')).not.toBe(first)
})

test('idle ones are forgotten when they are many, those at work never', () => {
  const batchers = createBatchers((target) => batcher(target !== 'busy'))
  const busy = batchers.of('busy')
  for (let i = 0; i < 1_000; i++) batchers.of(`idle ${i}`)
  expect(batchers.size()).toBeLessThanOrEqual(64)
  expect(batchers.of('busy')).toBe(busy)
})
