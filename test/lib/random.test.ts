import { expect, test } from 'vitest'
import { backoffMs } from '../../lib/backoff.ts'
import { createRandom } from '../../lib/random.ts'

const take = (random: () => number, n: number) => Array.from({ length: n }, random)

test('the same seed and label give the same numbers, on every machine', () => {
  expect(take(createRandom(7, 'device 7'), 3)).toEqual(take(createRandom('7', 'device 7'), 3))
  expect(take(createRandom(7), 3).map((n) => n.toFixed(9))).toMatchInlineSnapshot(`
    [
      "0.241259160",
      "0.303733852",
      "0.243042061",
    ]
  `)
})

test('another seed or another label gives other numbers', () => {
  const [a, b, c] = [createRandom(7, 'a'), createRandom(8, 'a'), createRandom(7, 'b')].map((random) => take(random, 4).join())
  expect(new Set([a, b, c]).size).toBe(3)
})

test('numbers are uniform in [0, 1)', () => {
  const numbers = take(createRandom(1), 20_000)
  expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0)
  expect(Math.max(...numbers)).toBeLessThan(1)
  const buckets = Array.from({ length: 10 }, (_, i) => numbers.filter((n) => Math.floor(n * 10) === i).length)
  for (const count of buckets) expect(Math.abs(count - 2_000)).toBeLessThan(200)
})

test('backoff is full jitter below a growing cap', () => {
  const backoff = { baseMs: 100, capMs: 1_000 }
  expect([0, 1, 2, 3, 4, 50].map((attempt) => backoffMs(backoff, attempt, () => 0.5))).toEqual([50, 100, 200, 400, 500, 500])
  expect(backoffMs(backoff, 3, () => 0)).toBe(0)
})
