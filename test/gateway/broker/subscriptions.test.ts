// The index of subscriptions against a one-line matcher.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createSubscriptions } from '../../../gateway/broker/subscriptions.ts'

const level = fc.constantFrom('a', 'b', '', '$x')
const topic = fc.array(level, { minLength: 1, maxLength: 4 }).map((levels) => levels.join('/'))
const filter = fc
  .tuple(fc.array(fc.oneof(level, fc.constant('+')), { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([levels, rest]) => [...levels, ...(rest ? ['#'] : [])].join('/'))

/** [MQTT-4.7.1] and [MQTT-4.7.2-1], as a regular expression. */
function matches(filter: string, topic: string): boolean {
  if (topic.startsWith('$') && /^[+#]/.test(filter)) return false
  const pattern = filter
    .split('/')
    .map((level) => (level === '+' ? '[^/]*' : level.replace('$', '\\$')))
    .join('/')
  return new RegExp(`^${pattern.replace(/\/?#$/, (rest) => (rest === '#' ? '.*' : '(/.*)?'))}$`).test(topic)
}

test('covers what a filter covers and finds whose it is, whatever was added and removed before', () => {
  const steps = fc.array(fc.tuple(fc.boolean(), filter, fc.constantFrom('c', 'd')), { maxLength: 20 })
  fc.assert(
    fc.property(steps, topic, (steps, topic) => {
      const subscriptions = createSubscriptions<string>()
      const held = new Map<string, readonly [filter: string, who: string]>()
      for (const [adds, filter, who] of steps) {
        if (adds) held.set(`${who} ${filter}`, [filter, who])
        else held.delete(`${who} ${filter}`)
        if (adds) subscriptions.add(filter, who)
        else subscriptions.remove(filter, who)
      }
      const expected = [...held.values()].filter(([filter]) => matches(filter, topic)).map(([, who]) => who)
      expect(subscriptions.cover(topic)).toBe(expected.length > 0)
      expect([...subscriptions.match(topic)].sort()).toEqual(expected.sort())
    }),
  )
})

test('a/# covers a as well [MQTT-4.7.1-2]', () => {
  const subscriptions = createSubscriptions<string>()
  subscriptions.add('a/#', 'c')
  expect(['a', 'a/b', 'a/b/c', 'b'].map((topic) => subscriptions.cover(topic))).toEqual([true, true, true, false])
})

test('every change has a version of its own', () => {
  const subscriptions = createSubscriptions<string>()
  const versions = [subscriptions.version()]
  subscriptions.add('a', 'c')
  versions.push(subscriptions.version())
  subscriptions.remove('a', 'c')
  versions.push(subscriptions.version())
  expect(new Set(versions).size).toBe(3)
})
