import { expect, test } from 'vitest'
import { createIds } from '../../../gateway/message/ids.ts'

test('ids are ULIDs that sort in the order they were made, across and within milliseconds', () => {
  let now = Date.UTC(2026, 10, 23)
  const next = createIds(
    () => now,
    () => 0.5,
  )
  const ids = Array.from({ length: 3_000 }, (_, i) => {
    if (i % 1_000 === 0) now++
    return next()
  })
  expect(ids[0]).toMatch(/^[0-9A-HJKMNP-TV-Z]{26}$/)
  expect(new Set(ids).size).toBe(3_000)
  expect([...ids].sort()).toEqual(ids)
})

test('a clock that steps back does not break the order', () => {
  let now = 1_000_000
  const next = createIds(
    () => now,
    () => 0.25,
  )
  const first = next()
  now -= 500
  expect(next() > first).toBe(true)
})

test('the time is the first ten characters', () => {
  const next = createIds(
    () => 1_469_918_176_385,
    () => 0,
  )
  expect(next().slice(0, 10)).toBe('01ARYZ6S41')
})
