import { expect, test } from 'vitest'
import { Histogram } from '../../../gateway/consume/histogram.ts'
import { createRandom } from '../../../lib/random.ts'

test('percentiles are within 2 % of the values, from a millisecond to 14 days', () => {
  const random = createRandom(3)
  const values = Array.from({ length: 5_000 }, () => Math.ceil(2 ** (random() * 30.1)))
  const histogram = new Histogram()
  for (const value of values) histogram.record(value)
  values.sort((a, b) => a - b)
  for (const percent of [1, 25, 50, 95, 99, 100]) {
    const exact = values[Math.ceil((values.length * percent) / 100) - 1]!
    expect(Math.abs(histogram.percentile(percent) - exact)).toBeLessThanOrEqual(exact * 0.02)
  }
})

test('values up to 63 are exact, and no values are 0', () => {
  const histogram = new Histogram()
  expect(histogram.percentile(50)).toBe(0)
  for (let value = 1; value <= 63; value++) histogram.record(value)
  expect([histogram.percentile(50), histogram.percentile(100)]).toEqual([32, 63])
})

test('another histogram is added, and a reset forgets all', () => {
  const [a, b] = [new Histogram(), new Histogram()]
  a.record(10)
  b.record(40)
  a.add(b)
  expect(a.percentile(100)).toBe(40)
  a.reset()
  expect(a.percentile(100)).toBe(0)
})
