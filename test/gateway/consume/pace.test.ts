import { expect, test } from 'vitest'
import { createPace } from '../../../gateway/consume/pace.ts'
import { createManualClock } from '../../helpers/manual-clock.ts'

async function setUp(latencyMs = Infinity) {
  const clock = createManualClock()
  const changes: number[] = []
  const pace = createPace({ clock, failureShare: 0.3, latencyMs, windowMs: 1_000, changed: (factor) => changes.push(factor) })
  const windowOf = async (ok: number, failures: number, ms = 10) => {
    for (let i = 0; i < ok; i++) pace.outcome(true, ms)
    for (let i = 0; i < failures - 1; i++) pace.outcome(false, ms)
    await clock.advance(1_000)
    pace.outcome(failures === 0, ms)
  }
  return { pace, changes, windowOf }
}

test('halves on failures, never below its floor, and comes back in steps', async () => {
  const { pace, changes, windowOf } = await setUp()
  await windowOf(5, 5)
  await windowOf(5, 5)
  expect(pace.factor).toBe(0.25)
  for (let i = 0; i < 5; i++) await windowOf(0, 10)
  expect(pace.factor).toBe(0.05)
  for (let i = 0; i < 10; i++) await windowOf(10, 0)
  expect(pace.factor).toBe(1)
  expect(changes.slice(0, 5)).toEqual([0.5, 0.25, 0.125, 0.0625, 0.05])
})

test('a few failures, or a few outcomes, are no distress', async () => {
  const { pace, windowOf } = await setUp()
  await windowOf(9, 1)
  await windowOf(0, 2)
  expect(pace.factor).toBe(1)
})

test('latency is distress too, where a limit is set', async () => {
  const { pace, windowOf } = await setUp(100)
  await windowOf(10, 0, 150)
  expect(pace.factor).toBe(0.5)
  await windowOf(10, 0, 50)
  expect(pace.factor).toBe(0.6)
})

test('what fails again is a sign of distress while nothing new goes well, and poison otherwise', async () => {
  const { pace, windowOf } = await setUp()
  await windowOf(10, 0)
  for (let i = 0; i < 50; i++) pace.outcome(false, 10, true)
  await windowOf(10, 0)
  expect(pace.factor).toBe(1)
  pace.outcome(false, 10)
  for (let i = 0; i < 50; i++) pace.outcome(false, 10, true)
  await windowOf(10, 0)
  expect(pace.factor).toBe(0.5)
})
