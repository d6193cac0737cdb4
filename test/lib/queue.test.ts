import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Queue } from '../../lib/queue.ts'

test('is a list that is read from its front, however long it is', () => {
  const steps = fc.array(
    fc.oneof(
      fc.integer({ min: 1, max: 3_000 }).map((count) => count),
      fc.integer({ min: -3_000, max: -1 }),
    ),
    { maxLength: 40 },
  )
  fc.assert(
    fc.property(steps, (counts) => {
      const queue = new Queue<{ readonly n: number }>()
      let pushed = 0
      let taken = 0
      for (const count of counts) {
        for (let i = 0; i < count; i++) queue.push({ n: pushed++ })
        for (let i = 0; i < -count; i++) {
          const expected = taken < pushed ? taken++ : undefined
          if (queue.first?.n !== expected || queue.shift()?.n !== expected) throw new Error(`not ${expected}`)
        }
        expect(queue.length).toBe(pushed - taken)
      }
    }),
  )
})
