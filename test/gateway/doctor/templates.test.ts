import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fixedParts, mayMatch, patternOf } from '../../../gateway/doctor/templates.ts'
import { matches } from '../../../gateway/rules/topic/filter.ts'

test.each([
  ['plain', ['plain']],
  ['a-${topic(3)}-b', ['a-', '-b']],
  ['${x}${y}', ['', '', '']],
  ["shard-${get({'a': 1}, 'a')}", ['shard-', '']],
  ["${'}'}/x", ['', '/x']],
  ['broken-${topic(', ['broken-', '']],
])('what is fixed in %s', (text, parts) => expect(fixedParts(text)).toEqual(parts))

test('a text may become what fits around its templates, and nothing else', () => {
  expect(patternOf('q-${a}.fifo').test('q-1.fifo')).toBe(true)
  expect(patternOf('q-${a}.fifo').test('q-1xfifo')).toBe(false)
  expect(patternOf('q').test('qq')).toBe(false)
})

test.each([
  ['dt/${topic(2)}/telemetry', 'dt/+/telemetry', true],
  ['${topic()}', 'dt/+/telemetry', true],
  ['out/${x}', '+/state', true],
  ['mirror/${topic()}', 'mirror/#', true],
  ['mirror/${topic()}', 'dt/#', false],
  ['a/b', 'a/+', true],
  ['a/b/c', 'a/+', false],
  ['a', 'a/#', false],
  ['$aws/things/t/shadow/update', '#', false],
  ['$aws/things/t/shadow/update', '$aws/things/+/shadow/update', true],
])('%s may match %s: %s', (text, filter, expected) => expect(mayMatch(text, filter)).toBe(expected))

test('a topic that the text can become and the filter covers is never overlooked, and without templates it is the filter itself', () => {
  const level = fc.constantFrom('a', 'b', '')
  const topic = fc.array(level, { minLength: 1, maxLength: 4 }).map((levels) => levels.join('/'))
  const filter = fc
    .tuple(fc.array(fc.constantFrom('a', 'b', '+', ''), { minLength: 1, maxLength: 3 }), fc.boolean())
    .map(([levels, open]) => [...levels, ...(open ? ['#'] : [])].join('/'))
  const text = fc.array(fc.constantFrom('a', 'b', '/', '${x}'), { minLength: 1, maxLength: 6 }).map((parts) => parts.join(''))
  fc.assert(
    fc.property(topic, filter, text, (topic, filter, text) => {
      expect(mayMatch(topic, filter)).toBe(matches(filter, topic))
      if (patternOf(text).test(topic) && matches(filter, topic)) expect(mayMatch(text, filter)).toBe(true)
    }),
    { numRuns: 2_000 },
  )
})
