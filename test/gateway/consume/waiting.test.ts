import { expect, test } from 'vitest'
import { consumerSchema } from '../../../gateway/consume/consumer-config.ts'
import type { Held } from '../../../gateway/consume/in-hand.ts'
import type { Lanes } from '../../../gateway/consume/lanes.ts'
import { createWaiting } from '../../../gateway/consume/waiting.ts'
import { createManualClock } from '../../helpers/manual-clock.ts'
import { createMemoryQueue } from '../../helpers/memory-queue.ts'

function setUp(config: object = {}) {
  const clock = createManualClock()
  const options = consumerSchema.parse({ queue: 'telemetry', handler: { kind: 'log' }, ...config })
  const waiting = createWaiting({ fifo: false, options, weight: () => 1, clock })
  const from = createMemoryQueue({ clock })
  const put = (lanes: Lanes<Held>, lane: string, key: string) => {
    const item = { id: key, key, group: lane, body: Buffer.from(''), receives: 1, sentAt: 0, attributes: {} }
    lanes.push(lane, { item, from, lanes, lane, tenant: lane, account: lane, since: 0, tries: 0, parts: 0, lost: false })
  }
  return { clock, waiting, put, take: () => waiting.take()?.item.key }
}

test('what comes back is served when no fresh lane can give anything', () => {
  const { waiting, put, take } = setUp()
  put(waiting.returned, 'acme', 'old')
  put(waiting.fresh, 'acme', 'new1')
  put(waiting.fresh, 'bolt', 'new2')
  expect(waiting.size).toBe(3)
  expect(waiting.of('acme')).toBe(2)
  expect([take(), take(), take(), take()]).toEqual(['new1', 'new2', 'old', undefined])
})

test('a cap counts what a tenant runs from both', () => {
  const { waiting, put, take } = setUp({ perTenant: { concurrency: 1 } })
  put(waiting.fresh, 'acme', 'new')
  put(waiting.returned, 'acme', 'old')
  const first = waiting.take()!
  expect(take()).toBeUndefined()
  waiting.done(first)
  expect(take()).toBe('old')
})

test('a return rate lets one go at a time, and says when the next may', async () => {
  const { clock, waiting, put, take } = setUp({ sideline: { queue: 'overflow', returnRate: '2/s' } })
  put(waiting.returned, 'acme', 'old1')
  put(waiting.returned, 'acme', 'old2')
  expect([take(), take()]).toEqual(['old1', undefined])
  expect(waiting.nextAt()).toBe(clock.monotonic() + 500)
  await clock.advance(500)
  expect(take()).toBe('old2')
})
