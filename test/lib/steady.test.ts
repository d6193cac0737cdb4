import { expect, test } from 'vitest'
import { createSteadyClock } from '../../lib/steady.ts'
import { createManualClock } from '../helpers/manual-clock.ts'

const hours = 3_600_000

test('steady time is the wall clock until that is set, and goes on evenly then', async () => {
  const clock = createManualClock()
  const steady = createSteadyClock(clock)
  const startedAt = clock.now()
  await clock.advance(5_000)
  expect(steady.now()).toBe(startedAt + 5_000)
  for (const step of [2 * hours, -2 * hours, -2 * hours]) {
    const before = steady.now()
    clock.step(step)
    expect(steady.now()).toBe(before)
    expect(steady.check()).toBe(step)
    expect(steady.check()).toBe(0)
    await clock.advance(1_000)
    expect(steady.now()).toBe(before + 1_000)
  }
})

test('a wall-clock time from before a step and one from after it keep their distance', async () => {
  const clock = createManualClock()
  const steady = createSteadyClock(clock)
  const early = clock.now()
  await clock.advance(10_000)
  steady.check()
  clock.step(2 * hours)
  await clock.advance(500)
  const late = clock.now()
  expect(steady.of(late) - steady.of(early)).toBe(10_500)
})

test('after a step backwards, a time that means two is the later one: nothing is older than it is', async () => {
  const clock = createManualClock()
  const steady = createSteadyClock(clock)
  await clock.advance(3 * hours)
  steady.check()
  const ambiguous = clock.now() - hours
  clock.step(-2 * hours)
  expect(steady.now() - steady.of(ambiguous)).toBeLessThanOrEqual(hours)
  expect(steady.now() - steady.of(clock.now())).toBe(0)
})

test('small differences between the clocks are no step', async () => {
  const clock = createManualClock()
  const steady = createSteadyClock(clock)
  clock.step(400)
  expect(steady.check()).toBe(0)
  expect(steady.epochs()).toHaveLength(1)
})

test('the next run goes on with the epochs of the last one', async () => {
  const clock = createManualClock()
  const first = createSteadyClock(clock)
  clock.step(2 * hours)
  first.check()
  const at = first.now()
  await clock.advance(60_000)
  expect(createSteadyClock(clock, first.epochs()).now()).toBe(at + 60_000)
})
