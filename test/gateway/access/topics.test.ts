import fc from 'fast-check'
import { expect, test } from 'vitest'
import { filterProblem, topicProblem } from '../../../gateway/access/topics.ts'

const bounds = { topicBytes: 256, topicSlashes: 7 }
const seven = 'a/b/c/d/e/f/g/h'

test.each([
  'a',
  '/',
  'a//b',
  seven,
  'é'.repeat(128),
  'with space',
  `$aws/rules/telemetry/${seven}`,
  `$aws/rules/telemetry/${'a'.repeat(256)}`,
  '$aws/rules/telemetry',
  '$aws/rules/telemetry/',
])('%j may be published to', (topic) => {
  expect(topicProblem(topic, bounds)).toBeUndefined()
})

test.each<[topic: string, says: RegExp]>([
  ['', /empty/],
  ['a/+', /\+ or #/],
  ['a+b', /\+ or #/],
  ['#', /\+ or #/],
  ['$aws/rules/+/a', /\+ or #/],
  ['a\0b', /U\+0000/],
  ['a\ufffdb', /UTF-8/],
  ['a\ud800b', /UTF-8/],
  [`${seven}/i`, /7 slashes/],
  ['é'.repeat(129), /256 bytes/],
  ['😀'.repeat(65), /256 bytes/],
  [`$aws/rules/telemetry/${seven}/i`, /7 slashes/],
  ['$aws/rules/', /name of a rule/],
  ['$aws/rules//a', /name of a rule/],
  ['$aws/events/presence/connected/c', /reserved/],
  ['$SYS/broker', /reserved/],
  ['$aws', /reserved/],
  ['$share/a/b', /reserved/],
])('%j may not: %s', (topic, says) => {
  expect(topicProblem(topic, bounds)).toMatch(says)
})

test.each([
  '#',
  '+',
  '/#',
  'a/#',
  '+/+/#',
  '+/a/+',
  seven,
  `$share/group/${seven}`,
  '$share/group/#',
  '$aws/events/presence/+/#',
  '$aws/events/subscriptions/subscribed/c',
])('%j may be subscribed to', (filter) => {
  expect(filterProblem(filter, bounds)).toBeUndefined()
})

test.each<[filter: string, says: RegExp]>([
  ['', /empty/],
  ['a#', /#/],
  ['#/a', /#/],
  ['a/#/b', /#/],
  ['a/##', /#/],
  ['a+', /\+/],
  ['+a/b', /\+/],
  ['++', /\+/],
  ['a\0', /U\+0000/],
  [`${seven}/#`, /7 slashes/],
  ['$share/group', /\$share/],
  ['$share//a', /\$share/],
  ['$share/a+b/c', /\$share/],
  [`$share/${'g'.repeat(129)}/a`, /\$share/],
  ['$share/group/a#', /#/],
  ['$aws/rules/telemetry/#', /reserved/],
  ['$SYS/#', /reserved/],
  ['$aws/#', /reserved/],
])('%j may not: %s', (filter, says) => {
  expect(filterProblem(filter, bounds)).toMatch(says)
})

test('a topic that passes is its own filter, within the bounds, and no pattern', () => {
  const unit = fc.constantFrom('a', '/', '+', '#', '$', '\0', 'é', '😀', '\ufffd')
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit, maxLength: 20 }), fc.string({ unit: 'binary', maxLength: 300 })), (topic) => {
      fc.pre(!topic.startsWith('$'))
      const passes =
        topic !== '' &&
        !/[+#\0\ufffd]/.test(topic) &&
        topic.isWellFormed() &&
        Buffer.byteLength(topic) <= 256 &&
        topic.split('/').length <= 8
      expect(topicProblem(topic, bounds) === undefined).toBe(passes)
      if (passes) expect(filterProblem(topic, bounds)).toBeUndefined()
    }),
    { numRuns: 1_000 },
  )
})

test('a filter that passes has whole levels for wildcards', () => {
  const level = fc.constantFrom('a', '', '+', '#', 'a+', '#a', '+#')
  fc.assert(
    fc.property(fc.array(level, { minLength: 1, maxLength: 5 }), (levels) => {
      const filter = levels.join('/')
      const whole = levels.every((text, i) => text === '+' || (text === '#' && i === levels.length - 1) || !/[+#]/.test(text))
      expect(filterProblem(filter, bounds) === undefined).toBe(whole && filter !== '')
    }),
  )
})
