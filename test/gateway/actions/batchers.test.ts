import { expect, test } from 'vitest'
import type { Batcher } from '../../../gateway/actions/batch.ts'
import { createBatchers } from '../../../gateway/actions/batchers.ts'

const batcher = (idle: boolean): Batcher<string> => ({ isIdle: () => idle, add: () => undefined, drained: async () => undefined })

test('a target keeps its batcher', () => {
  const batchers = createBatchers<Batcher<string>>()
  const first = batchers.of('a', () => batcher(true))
  expect(batchers.of('a', () => batcher(true))).toBe(first)
  expect(batchers.of('b', () => batcher(true))).not.toBe(first)
})

test('idle ones are forgotten when they are many, those at work never', () => {
  const batchers = createBatchers<Batcher<string>>()
  const busy = batchers.of('busy', () => batcher(false))
  for (let i = 0; i < 1_000; i++) batchers.of(`idle ${i}`, () => batcher(true))
  expect(batchers.size()).toBeLessThanOrEqual(64)
  expect(batchers.of('busy', () => batcher(false))).toBe(busy)
})
