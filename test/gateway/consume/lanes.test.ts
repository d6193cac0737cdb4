import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createLanes, type LaneRules } from '../../../gateway/consume/lanes.ts'

const lanesOf = (rules: Partial<LaneRules> = {}) => createLanes<string>({ now: () => 0, ...rules })

function takeAll(lanes: ReturnType<typeof lanesOf>): string[] {
  const values: string[] = []
  for (let next = lanes.take(); next; next = lanes.take()) {
    values.push(next.value)
    lanes.done(next.group)
  }
  return values
}

test('lanes take turns, whatever their length', () => {
  const lanes = lanesOf()
  for (let i = 0; i < 4; i++) lanes.push('acme', `a${i}`)
  lanes.push('bolt', 'b0')
  lanes.push('cask', 'c0')
  expect(takeAll(lanes)).toEqual(['a0', 'b0', 'c0', 'a1', 'a2', 'a3'])
  expect(lanes.size).toBe(0)
  expect(lanes.groups).toBe(0)
})

test('a weight is a share', () => {
  const lanes = lanesOf({ weight: (group) => ({ acme: 3, cask: 0.5 })[group] ?? 1 })
  for (let i = 0; i < 300; i++) for (const group of ['acme', 'bolt', 'cask']) lanes.push(group, group)
  const first = Array.from({ length: 90 }, () => {
    const next = lanes.take()!
    lanes.done(next.group)
    return next.value
  })
  const share = (group: string) => first.filter((value) => value === group).length
  expect([share('acme'), share('bolt'), share('cask')]).toEqual([60, 20, 10])
})

test('a serial lane gives its next item only when the last is done; the others go on', () => {
  const lanes = lanesOf({ concurrency: () => 1 })
  for (const value of ['a0', 'a1']) lanes.push('a', value)
  lanes.push('b', 'b0')
  expect(lanes.take()?.value).toBe('a0')
  expect(lanes.take()?.value).toBe('b0')
  expect(lanes.take()).toBeUndefined()
  lanes.unshift('a', 'a0 again')
  lanes.done('a')
  expect(lanes.take()?.value).toBe('a0 again')
})

test('a paused lane waits for its time', () => {
  let now = 1_000
  const lanes = lanesOf({ now: () => now })
  lanes.push('a', 'a0')
  lanes.push('b', 'b0')
  lanes.pause('a', 1_500)
  expect(lanes.nextAt()).toBe(1_500)
  expect(lanes.take()?.value).toBe('b0')
  expect(lanes.take()).toBeUndefined()
  now = 1_500
  expect(lanes.take()?.value).toBe('a0')
})

test('who is not admitted is asked again after the wait, and the turn goes to another', () => {
  let now = 0
  const lanes = lanesOf({ now: () => now, admit: (group) => (group === 'acme' && now < 200 ? 200 - now : 0) })
  lanes.push('acme', 'a0')
  lanes.push('bolt', 'b0')
  expect(lanes.take()?.value).toBe('b0')
  expect(lanes.nextAt()).toBe(200)
  now = 200
  expect(lanes.take()?.value).toBe('a0')
})

test('property: nothing lost, order kept inside a lane, work-conserving, and the wait of a lane is bounded', () => {
  const step = fc.record({ group: fc.integer({ min: 0, max: 5 }), takes: fc.integer({ min: 0, max: 3 }) })
  const weights = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 6, maxLength: 6 })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), weights, (steps, weightOf) => {
      const lanes = createLanes<number>({ now: () => 0, weight: (group) => weightOf[Number(group)]! })
      const pushed = new Map<string, number[]>()
      const taken = new Map<string, number[]>()
      const bound = weightOf.reduce((sum, weight) => sum + weight, 0)
      const waited = new Map<string, number>()
      let serial = 0
      const take = () => {
        const size = lanes.size
        const next = lanes.take()
        if (!next) return expect(size).toBe(0)
        lanes.done(next.group)
        taken.set(next.group, [...(taken.get(next.group) ?? []), next.value])
        waited.set(next.group, 0)
        for (const group of pushed.keys()) {
          if (group === next.group || lanes.waiting(group) === 0) continue
          waited.set(group, (waited.get(group) ?? 0) + 1)
          expect(waited.get(group)).toBeLessThanOrEqual(bound)
        }
      }
      for (const { group, takes } of steps) {
        lanes.push(String(group), ++serial)
        pushed.set(String(group), [...(pushed.get(String(group)) ?? []), serial])
        for (let i = 0; i < takes; i++) take()
      }
      while (lanes.size > 0) take()
      expect(taken).toEqual(pushed)
    }),
  )
})
