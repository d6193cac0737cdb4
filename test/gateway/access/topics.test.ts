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
