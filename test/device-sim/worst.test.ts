import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createTroubles, worstOf } from '../../device-sim/worst.ts'

test('the worst three: most failures first, then the slowest acknowledgement', () => {
  const troubles = createTroubles(['a', 'b', 'c', 'd', 'e'])
  troubles.acked(0, 5)
  troubles.acked(1, 50)
  troubles.acked(1, 2)
  troubles.failed(2)
  troubles.acked(3, 7)
  expect(troubles.worst()).toEqual([
    { device: 'c', failed: 1, slowestAckMs: 0 },
    { device: 'b', failed: 0, slowestAckMs: 50 },
    { device: 'd', failed: 0, slowestAckMs: 7 },
  ])
})

test('who has no trouble is not there', () => expect(createTroubles(['a', 'b']).worst()).toEqual([]))

test('one pass over the fleet finds what sorting all of it finds', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(3), fc.integer({ min: 1, max: 9 })), { maxLength: 20 }), (devices) => {
      const troubles = createTroubles(devices.map((_, i) => `d-${i}`))
      devices.forEach(([failures, ms], i) => {
        for (let n = 0; n < failures; n++) troubles.failed(i)
        troubles.acked(i, ms)
      })
      expect(troubles.worst()).toEqual(worstOf(devices.map(([failed, slowestAckMs], i) => ({ device: `d-${i}`, failed, slowestAckMs }))))
    }),
  )
})
