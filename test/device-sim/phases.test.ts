import { expect, test } from 'vitest'
import { createTimeAxis, herdsOf, lengthOf, type Phase } from '../../device-sim/phases.ts'

const second = 1_000
const ramp: Phase = { kind: 'ramp', from: 0, to: 1, for: 20 * second }
const steady: Phase = { kind: 'steady', level: 1, for: 10 * second }
const spike: Phase = { kind: 'spike', times: 5, for: 10 * second }
const herd: Phase = { kind: 'herd', for: 5 * second }

/** How many of the readings that an even plan has each second fall in each second of the run. */
function rates(phases: readonly Phase[], seconds: number) {
  const axis = createTimeAxis(phases)
  const perSecond = Array(seconds).fill(0)
  for (let planned = 0; axis(planned) < seconds * second; planned += 1) perSecond[Math.floor(axis(planned) / second)]++
  return perSecond
}

test('without phases time is as planned', () => {
  const axis = createTimeAxis([])
  expect([0, 1, 12_345].map(axis)).toEqual([0, 1, 12_345])
})

test('a ramp begins slowly and arrives at the usual rate', () => {
  const perSecond = rates([ramp, steady], 30)
  expect(perSecond.every((n, i) => i === 0 || n >= perSecond[i - 1] - 1)).toBe(true)
  expect(perSecond[0]).toBeLessThan(30)
  expect(perSecond[10]).toBeGreaterThan(500)
  expect(perSecond[10]).toBeLessThan(550)
  expect(perSecond.slice(20)).toEqual(Array(10).fill(1_000))
})

test('a spike is so many times the usual rate, and over when it is over', () => {
  expect(rates([steady, spike, steady], 30).filter((_, i) => i % 10 === 5)).toEqual([1_000, 5_000, 1_000])
})

test('time never goes back, and the last rate goes on', () => {
  const axis = createTimeAxis([ramp, spike, herd, { kind: 'ramp', from: 2, to: 0.5, for: 10 * second }])
  const times = Array.from({ length: 2_000 }, (_, i) => axis(i * 100))
  expect(times.every((at, i) => i === 0 || at >= times[i - 1]!)).toBe(true)
  expect(axis(1_000_000) - axis(999_000)).toBeCloseTo(2_000)
})

test('after a ramp to nothing nothing follows', () => {
  expect(createTimeAxis([{ kind: 'ramp', from: 1, to: 0, for: 10 * second }])(5_001)).toBe(Number.POSITIVE_INFINITY)
})

test('a herd knows when it begins', () => {
  expect(herdsOf([ramp, herd, steady])).toEqual([{ at: 20 * second, forMs: 5 * second }])
  expect(lengthOf([ramp, herd, steady])).toBe(35 * second)
})
