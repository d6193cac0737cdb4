import { describe, expect, test } from 'vitest'
import { matches, validateFilter } from '../../../../gateway/rules/topic/filter.ts'

describe('validateFilter', () => {
  test.each(['a', '/', 'a/b', '+', '#', 'a/+/b', '+/+', 'a/#', '+/#', '$aws/events/presence/connected/+'])('%s is a filter', (filter) => {
    expect(validateFilter(filter)).toBeUndefined()
  })

  test.each([
    ['', /at least one/],
    ['a+/b', /\+ stands alone/],
    ['a/b#', /# stands alone/],
    ['#/a', /# is the last/],
    ['a\u0000', /null/],
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
