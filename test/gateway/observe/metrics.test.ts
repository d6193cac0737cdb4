import { expect, test } from 'vitest'
import { createMetrics } from '../../../gateway/observe/metrics.ts'

test('fields that come again count where they belong, frozen or changed in between', () => {
  const metrics = createMetrics()
  const [a, b] = [Object.freeze({ rule: 'a' }), Object.freeze({ rule: 'b' })]
  for (const fields of [a, a, b, a]) metrics.count('rule.matched', fields)
  const mutable = { rule: 'a' }
  metrics.count('rule.matched', mutable)
  mutable.rule = 'b'
  metrics.count('rule.matched', mutable)
  expect([metrics.total('rule.matched', { rule: 'a' }), metrics.total('rule.matched', { rule: 'b' })]).toEqual([4, 2])
})
