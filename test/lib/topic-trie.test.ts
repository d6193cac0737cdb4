// The trie against a one-line matcher.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createTopicTrie } from '../../lib/topic-trie.ts'

const level = fc.constantFrom('a', 'b', '', '$x')
const topic = fc.array(level, { minLength: 1, maxLength: 4 }).map((levels) => levels.join('/'))
const filter = fc
  .tuple(fc.array(fc.oneof(level, fc.constant('+')), { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([levels, rest]) => [...levels, ...(rest ? ['#'] : [])].join('/'))

/** [MQTT-4.7.1] and [MQTT-4.7.2-1], as a regular expression. */
function matches(filter: string, topic: string, hashCoversParent: boolean): boolean {
  if (topic.startsWith('$') && /^[+#]/.test(filter)) return false
  const pattern = filter
    .split('/')
    .map((level) => (level === '+' ? '[^/]*' : level.replace('$', '\\$')))
    .join('/')
  return new RegExp(`^${pattern.replace(/\/?#$/, (rest) => (rest === '#' ? '.*' : hashCoversParent ? '(/.*)?' : '/.*'))}$`).test(topic)
}

test.each([true, false])('finds the values of every filter that covers a topic; a/# covers a: %s', (hashCoversParent) => {
  const steps = fc.array(fc.tuple(fc.boolean(), filter, fc.constantFrom('c', 'd')), { maxLength: 20 })
  fc.assert(
    fc.property(steps, topic, (steps, topic) => {
      const trie = createTopicTrie<string>({ hashCoversParent })
      const held = new Map<string, readonly [filter: string, who: string]>()
      for (const [adds, filter, who] of steps) {
        if (adds) held.set(`${who} ${filter}`, [filter, who])
        else held.delete(`${who} ${filter}`)
        if (adds) trie.add(filter, who)
        else trie.remove(filter, who)
      }
      const expected = [...held.values()].filter(([filter]) => matches(filter, topic, hashCoversParent)).map(([, who]) => who)
      expect(trie.cover(topic)).toBe(expected.length > 0)
      expect([...trie.match(topic)].sort()).toEqual(expected.sort())
    }),
  )
})

test('a/# covers a as well [MQTT-4.7.1-2]', () => {
  const trie = createTopicTrie<string>({ hashCoversParent: true })
  trie.add('a/#', 'c')
  expect(['a', 'a/b', 'a/b/c', 'b'].map((topic) => trie.cover(topic))).toEqual([true, true, true, false])
})

test('every change has a version of its own', () => {
  const trie = createTopicTrie<string>({ hashCoversParent: true })
  const versions = [trie.version()]
  trie.add('a', 'c')
  versions.push(trie.version())
  trie.remove('a', 'c')
  versions.push(trie.version())
  expect(new Set(versions).size).toBe(3)
})

test('tells of each level that is stored or released', () => {
  const levels: string[] = []
  const trie = createTopicTrie<string>({ hashCoversParent: true, onLevel: (level, change) => levels.push(`${change} ${level}`) })
  trie.add('a/b', 'c')
  trie.add('a/#', 'c')
  trie.remove('a/b', 'c')
  trie.remove('a/#', 'c')
  expect(levels).toEqual(['1 a', '1 b', '-1 b', '-1 a'])
})
