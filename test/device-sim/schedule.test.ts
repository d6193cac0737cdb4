import { expect, test } from 'vitest'
import { createPlan, type Interval, type Plan } from '../../device-sim/schedule.ts'
import { createRandom } from '../../lib/random.ts'

const fleet = (devices: number, everyMs: number) =>
  Array.from({ length: devices }, (_, n) => ({
    interval: { kind: 'fixed', every: everyMs } as const,
    random: createRandom(7, `plan ${n}`),
  }))

function ticks(plan: Plan) {
  const all = []
  while (plan.nextAt < Number.POSITIVE_INFINITY) all.push(plan.next())
  return all
}

test('readings come in the order of their times, at the rate asked for', () => {
  const all = ticks(createPlan(fleet(500, 1_000), { endMs: 20_000 }))
  expect(all).toHaveLength(10_000)
  expect(all.every(({ at }, i) => i === 0 || at >= all[i - 1]!.at)).toBe(true)
  expect(all.at(-1)!.at).toBeLessThan(20_000)
})

test('the first readings are spread over the interval: a fleet is not a herd', () => {
  const firsts = ticks(createPlan(fleet(1_000, 10_000), { count: 1 })).map(({ at }) => at)
  const tenths = Array.from({ length: 10 }, (_, i) => firsts.filter((at) => Math.floor(at / 1_000) === i).length)
  expect(firsts).toHaveLength(1_000)
  for (const tenth of tenths) expect(tenth).toBeGreaterThan(60)
})

test('a device speaks at the same times whatever the number of devices around it', () => {
  const of7 = (devices: number) => ticks(createPlan(fleet(devices, 300), { endMs: 3_000 })).filter(({ device }) => device === 7)
  expect(of7(10)).toEqual(of7(1_000))
})

test('a count ends each device by itself', () => {
  const all = ticks(createPlan(fleet(20, 100), { count: 3 }))
  expect(Array.from({ length: 20 }, (_, n) => all.filter(({ device }) => device === n).length)).toEqual(Array(20).fill(3))
})

test('no devices, no plan', () => {
  expect(createPlan([]).nextAt).toBe(Number.POSITIVE_INFINITY)
})

const timesOf = (interval: Interval, endMs: number) =>
  ticks(createPlan([{ interval, random: createRandom(7) }], { endMs })).map(({ at }) => at)
const gaps = (times: readonly number[]) => times.slice(1).map((at, i) => at - times[i]!)

test('poisson: the mean is kept and nothing is regular', () => {
  const between = gaps(timesOf({ kind: 'poisson', every: 100 }, 500_000))
  expect(between.reduce((sum, gap) => sum + gap, 0) / between.length).toBeGreaterThan(95)
  expect(between.reduce((sum, gap) => sum + gap, 0) / between.length).toBeLessThan(105)
  expect(between.filter((gap) => gap > 300).length / between.length).toBeCloseTo(Math.exp(-3), 1)
})

test('bursts: so many, close together, then silence until the next', () => {
  const between = gaps(timesOf({ kind: 'bursts', every: 10_000, size: 3, spacing: 50 }, 60_000))
  expect(between.slice(0, 6).map(Math.round)).toEqual([50, 50, 9_900, 50, 50, 9_900])
})

test('ramp: from one interval to another', () => {
  const between = gaps(timesOf({ kind: 'ramp', from: 1_000, to: 100, over: 60_000 }, 90_000))
  expect(between[0]).toBeGreaterThan(900)
  expect(between.at(-1)).toBeCloseTo(100)
  expect(between.every((gap, i) => i === 0 || gap <= between[i - 1]! + 1e-6)).toBe(true)
})
