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

test('a label has at most 1,000 values and one for the rest, whatever names clients invent', () => {
  const metrics = createMetrics()
  for (let i = 0; i < 5_000; i++) metrics.count('consumer.failed', { queue: 'q', code: `n${i}` })
  metrics.count('consumer.failed', { queue: 'q', code: 'n'.repeat(10_000) })
  const series = metrics.series('consumer.failed')
  expect(series).toHaveLength(1_001)
  expect(series.find(({ labels }) => labels.code === '(others)')?.value).toBe(4_001)
  expect(metrics.total('consumer.failed')).toBe(5_001)
})
