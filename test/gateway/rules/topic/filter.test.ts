import { describe, expect, test } from 'vitest'
import { matches, validateFilter } from '../../../../gateway/rules/topic/filter.ts'

describe('validateFilter', () => {
  test.each(['a', '/', 'a/b', '+', '#', 'a/+/b', '+/+', 'a/#', '+/#', '$aws/events/presence/connected/+'])('%s is a filter', (filter) => {
    expect(validateFilter(filter)).toBeUndefined()
  })

  test.each([
    ['', /empty/],
    ['a+/b', /\+ may only be a whole level/],
    ['a/b#', /# may only be the whole last level/],
    ['#/a', /# may only be the whole last level/],
    ['a\u0000', /U\+0000/],
    ['é'.repeat(129), /256 bytes/],
  ])('%j is none', (filter, reason) => {
    expect(validateFilter(filter)).toMatch(reason)
  })
})

describe('matches', () => {
  test.each([
    ['sensor/#', 'sensor/', true],
    ['sensor/#', 'sensor/a/b', true],
    ['sensor/#', 'sensor', false],
    ['+/+', '/', true],
    ['+', 'a/b', false],
    ['#', '$aws/things', false],
    ['+/things', '$aws/things', false],
    ['$aws/#', '$aws/things', true],
    ['Sensor', 'sensor', false],
  ])('%s on %s: %s', (filter, topic, covers) => {
    expect(matches(filter, topic)).toBe(covers)
  })
})
