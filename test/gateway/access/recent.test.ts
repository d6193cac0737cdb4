import { expect, test } from 'vitest'
import { createRecent } from '../../../gateway/access/recent.ts'

test('forgets what was used longest ago', () => {
  const recent = createRecent<number>(2)
  recent.set('a', 1)
  recent.set('b', 2)
  recent.get('a')
  recent.set('c', 3)
  expect([recent.get('a'), recent.get('b'), recent.get('c')]).toEqual([1, undefined, 3])
  recent.delete('a')
  expect(recent.size).toBe(1)
})
