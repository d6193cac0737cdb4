import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { matches } from '../../../../gateway/rules/topic/filter.ts'
import { createTopicTree } from '../../../../gateway/rules/topic/tree.ts'

const level = fc.constantFrom('a', 'b', 'c', '', '$x')
const topic = fc.array(level, { minLength: 1, maxLength: 6 }).map((levels) => levels.join('/'))
const filter = fc
  .tuple(fc.array(fc.oneof(level, fc.constant('+')), { maxLength: 5 }), fc.constantFrom('#', '+', 'a', ''))
  .map(([levels, last]) => [...levels, last].join('/'))

describe('createTopicTree', () => {
  test('finds exactly the filters that match one by one', () => {
    fc.assert(
      fc.property(fc.array(filter, { maxLength: 30 }), fc.array(topic, { minLength: 1, maxLength: 10 }), (filters, topics) => {
        const tree = createTopicTree<number>()
        filters.forEach((text, index) => {
          tree.add(text, index)
        })
        for (const name of [...topics, ...topics]) {
          const expected = filters.flatMap((text, index) => (matches(text, name) ? [index] : []))
          expect([...tree.match(name)].sort((a, b) => a - b)).toEqual(expected)
        }
      }),
      { numRuns: 500 },
    )
  })

  test('sees a filter that is added after its topic was asked for', () => {
    const tree = createTopicTree<string>()
    expect(tree.match('a/b')).toEqual([])
    tree.add('a/+', 'late')
    expect(tree.match('a/b')).toEqual(['late'])
  })
})
