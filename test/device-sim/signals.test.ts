import { expect, test } from 'vitest'
import { batteryAfter, dailyCurve, distort, exponential, noise } from '../../device-sim/signals.ts'
import { createRandom } from '../../lib/random.ts'

const honest = { driftPerDay: 0, stuckChance: 0, stuckForMs: 60_000, spikeChance: 0, spikeBy: 25 }
const fresh = { since: 0, stuckUntil: 0, stuckAt: 0 }
const day = 86_400_000

test('the day is warmest at its peak hour and coldest twelve hours later', () => {
  const at = (hour: number) => dailyCurve(hour * 3_600_000, { mean: 10, swing: 4, peakHour: 15 })
  expect(at(15)).toBeCloseTo(14)
  expect(at(3)).toBeCloseTo(6)
  expect(at(21)).toBeCloseTo(10)
})

test('noise has the deviation asked for, and events the mean', () => {
  const random = createRandom(1)
  const numbers = Array.from({ length: 20_000 }, () => noise(random, 2))
  const deviation = Math.sqrt(numbers.reduce((sum, n) => sum + n * n, 0) / numbers.length)
  expect(deviation).toBeCloseTo(2, 1)
  const waits = Array.from({ length: 20_000 }, () => exponential(random, 100))
  expect(waits.reduce((sum, n) => sum + n, 0) / waits.length).toBeGreaterThan(97)
  expect(waits.reduce((sum, n) => sum + n, 0) / waits.length).toBeLessThan(103)
})

test('an honest sensor tells the value', () => {
  expect(distort(honest, fresh, 12.5, day, createRandom(1))).toEqual({ value: 12.5, memory: fresh })
})

test('a drifting sensor is off by its drift', () => {
  expect(distort({ ...honest, driftPerDay: 2 }, fresh, 10, 3 * day, createRandom(1)).value).toBe(16)
})

test('a stuck sensor repeats itself until its time is over', () => {
  const lie = { ...honest, stuckChance: 1 }
  const first = distort(lie, fresh, 10, 0, createRandom(1))
  expect(distort(lie, first.memory, 11, 59_999, createRandom(1)).value).toBe(10)
  expect(distort(lie, first.memory, 11, 60_000, createRandom(1)).value).toBe(11)
})

test('a spike is far off, once', () => {
  expect(Math.abs(distort({ ...honest, spikeChance: 1 }, fresh, 10, 0, createRandom(1)).value - 10)).toBe(25)
})

test('a battery empties, faster in the cold, and no further than empty', () => {
  expect(batteryAfter(100, day, { days: 10 })).toBeCloseTo(90)
  expect(batteryAfter(100, day, { days: 10, celsius: -20 })).toBeCloseTo(85)
  expect(batteryAfter(1, day, { days: 10 })).toBe(0)
})
