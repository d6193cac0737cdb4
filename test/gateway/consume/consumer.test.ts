import { expect, test } from 'vitest'
import { type Consumer, type ConsumerDeps, createConsumer } from '../../../gateway/consume/consumer.ts'
import { consumerSchema } from '../../../gateway/consume/consumer-config.ts'
import { PermanentFailure } from '../../../gateway/consume/failure.ts'
import type { Item } from '../../../gateway/consume/queue.ts'
import { GatewayError } from '../../../gateway/errors.ts'
import { createRandom } from '../../../lib/random.ts'
import { createManualClock, type ManualClock, settled } from '../../helpers/manual-clock.ts'
import { createMemoryQueue, type MemoryQueueOptions } from '../../helpers/memory-queue.ts'
import { createSpyObserve } from '../../helpers/spy-observe.ts'

type Setup = Partial<Pick<ConsumerDeps, 'handler' | 'unpack'>> & {
  readonly queue?: Partial<MemoryQueueOptions>
  readonly config?: Record<string, unknown>
}

function setUp({ handler = async () => {}, unpack, queue: queueOptions = {}, config = {} }: Setup = {}) {
  const clock = createManualClock()
  const observe = createSpyObserve()
  const queue = createMemoryQueue({ clock, ...queueOptions })
  const overflow = createMemoryQueue({ clock, name: 'overflow' })
  const {
    queue: _,
    handler: __,
    deadLetterQueue: ___,
    ...options
  } = consumerSchema.parse({ queue: queue.name, handler: { kind: 'log' }, ...config })
  const deps: ConsumerDeps = {
    queue,
    ...(options.sideline ? { overflow } : {}),
    handler,
    ...(unpack ? { unpack } : {}),
    clock,
    random: createRandom(7),
    observe,
    options,
  }
  return { clock, observe, queue, overflow, deps, consumer: createConsumer(deps) }
}

/** Stops while the clock moves: what a poll finds last is waited for. */
async function end(clock: ManualClock, ...consumers: readonly Consumer[]): Promise<void> {
  let over = false
  const stopped = Promise.all(consumers.map((consumer) => consumer.stop())).finally(() => {
    over = true
  })
  while (!over) await clock.advance(50)
  await stopped
}

const many = (count: number, group = '', prefix = group) => Array.from({ length: count }, (_, i) => ({ key: `${prefix}${i}`, group }))

test('handles what is there and removes it', async () => {
  const seen: string[] = []
  const { clock, queue, consumer } = setUp({ handler: async ({ key }) => void seen.push(key) })
  queue.put(many(25))
  consumer.start()
  await settled()
  await clock.advance(100)
  expect(seen).toHaveLength(25)
  expect(queue.size).toBe(0)
  expect(consumer.stats()).toMatchObject({ received: 25, handled: 25, failed: 0, buried: 0, inFlight: 0, waiting: 0 })
  await end(clock, consumer)
})

test('a slow message does not keep the others waiting', async () => {
  const slow = Promise.withResolvers<void>()
  const { clock, queue, consumer } = setUp({
    handler: ({ key }) => (key === '0' ? slow.promise : Promise.resolve()),
    config: { concurrency: 2 },
  })
  queue.put(many(200))
  consumer.start()
  await settled()
  await clock.advance(10)
  expect(consumer.stats()).toMatchObject({ handled: 199, inFlight: 1 })
  slow.resolve()
  await end(clock, consumer)
  expect(queue.size).toBe(0)
})

test('an empty queue costs one long poll at a time, however many receivers', async () => {
  const { clock, queue, consumer } = setUp({ config: { receivers: 4 } })
  consumer.start()
  await settled()
  await clock.advance(60_000)
  expect(queue.calls.receive).toBeLessThanOrEqual(13)
  await end(clock, consumer)
})

test('a permanent failure is buried at once, with its reason', async () => {
  const { clock, queue, consumer, observe } = setUp({
    handler: async () => {
      throw new PermanentFailure('unknown unit')
    },
  })
  queue.put([{ key: 'bad', group: 'acme' }])
  consumer.start()
  await settled()
  await clock.advance(0)
  expect(queue.dead).toMatchObject([{ item: { key: 'bad' }, reason: 'HANDLER_REFUSED: unknown unit' }])
  expect(queue.size).toBe(0)
  expect(observe.of('consumer.buried')).toMatchObject([{ code: 'HANDLER_REFUSED', tenant: 'acme' }])
  await end(clock, consumer)
})

test('other failures come back with growing waits, and end in the dead-letter queue without the words of the error', async () => {
  const at: number[] = []
  const { clock, queue, consumer } = setUp({
    handler: async () => {
      at.push(clock.now())
      throw new Error('connect postgres://bob:hunter2@10.0.0.7 refused')
    },
    config: { maxReceives: 4 },
  })
  queue.put([{ key: 'poison' }])
  consumer.start()
  await settled()
  await clock.advance(120_000)
  expect(at).toHaveLength(4)
  expect(queue.dead.map(({ reason }) => reason)).toEqual(['HANDLER_FAILED: failed 4 times'])
  expect(consumer.stats()).toMatchObject({ failed: 4, buried: 1, handled: 0 })
  await end(clock, consumer)
})

test('a handler that takes three times the visibility timeout is not delivered twice', async () => {
  const seen: Item[] = []
  const { clock, queue, consumer } = setUp({
    handler: async (item) => {
      seen.push(item)
      await clock.sleep(18_000)
    },
    queue: { visibilityMs: 6_000 },
    config: { visibilityTimeout: '6s' },
  })
  queue.put(many(5))
  consumer.start()
  await settled()
  await clock.advance(20_000)
  expect(seen.map(({ receives }) => receives)).toEqual([1, 1, 1, 1, 1])
  expect(queue.size).toBe(0)
  await end(clock, consumer)
})

test('a handler over its time is aborted and the message tried again', async () => {
  const signals: AbortSignal[] = []
  const { clock, queue, consumer } = setUp({
    handler: (_, signal) => {
      signals.push(signal)
      return new Promise(() => {})
    },
    config: { handlerTimeout: '2s', maxReceives: 2 },
  })
  queue.put([{ key: 'stuck' }])
  consumer.start()
  await settled()
  await clock.advance(10_000)
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, true])
  expect(queue.dead.map(({ reason }) => reason)).toEqual(['HANDLER_TIMEOUT: failed 2 times'])
  await end(clock, consumer)
})

test('stop finishes what runs and gives back what waits', async () => {
  const { clock, queue, consumer } = setUp({ config: { concurrency: 2, prefetch: 10 } })
  const finish = Promise.withResolvers<void>()
  const second = setUp({ handler: () => finish.promise, config: { concurrency: 2, prefetch: 10 } })
  second.queue.put(many(10))
  second.consumer.start()
  await settled()
  const stopped = second.consumer.stop()
  expect(second.consumer.stop()).toBe(stopped)
  await settled()
  expect(await second.queue.depth()).toEqual({ waiting: 8, inFlight: 2 })
  finish.resolve()
  await stopped
  expect(second.consumer.stats()).toMatchObject({ handled: 2, inFlight: 0, waiting: 0 })
  await end(clock, consumer)
  expect(queue.calls.receive).toBe(0)
  await clock.advance(0)
})

test('stop waits for the receive under way, and makes what it brings visible at once', async () => {
  const seen: string[] = []
  const { clock, queue, consumer } = setUp({ handler: async ({ key }) => void seen.push(key), config: { wait: '20s' } })
  consumer.start()
  await settled()
  const stopped = consumer.stop()
  await clock.advance(15_000)
  queue.put(many(3))
  await settled()
  expect(await queue.depth()).toEqual({ waiting: 3, inFlight: 0 })
  await stopped
  expect({ seen, receives: queue.calls.receive }).toEqual({ seen: [], receives: 1 })
})

test('stop aborts a receive that does not end by itself', async () => {
  const { clock, queue, consumer } = setUp({ config: { wait: '5s' } })
  queue.receive = (_max, _waitMs, signal) =>
    new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
  consumer.start()
  await settled()
  let over = false
  const stopped = consumer.stop().then(() => (over = true))
  await clock.advance(6_900)
  expect(over).toBe(false)
  await clock.advance(200)
  await stopped
})

test('stop aborts a handler that does not end, and its message comes back', async () => {
  const { clock, queue, consumer } = setUp({
    handler: (_, signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    config: { stopTimeout: '5s' },
  })
  queue.put([{ key: 'endless' }])
  consumer.start()
  await settled()
  const stopped = consumer.stop()
  await settled()
  await clock.advance(5_500)
  await stopped
  await clock.advance(1_000)
  expect(await queue.depth()).toEqual({ waiting: 1, inFlight: 0 })
})

test('a rate is held with several receivers, and empty polls take no tokens', async () => {
  const at: number[] = []
  const { clock, queue, consumer } = setUp({
    handler: async () => void at.push(clock.now()),
    config: { rate: '50/s', receivers: 4, wait: '1s' },
  })
  consumer.start()
  await settled()
  await clock.advance(10_000)
  queue.put(many(2_000))
  const from = clock.now()
  await clock.advance(30_000)
  const handled = at.filter((time) => time <= from + 30_000).length
  expect(handled).toBeGreaterThanOrEqual(1_425)
  expect(handled).toBeLessThanOrEqual(1_575)
  expect(queue.calls.receive - queue.calls.empty).toBeLessThanOrEqual(handled / 8)
  await end(clock, consumer)
})

test('a quiet tenant is next, however much of a noisy one waits', async () => {
  const order: string[] = []
  const { clock, queue, consumer } = setUp({
    handler: async ({ group }) => {
      order.push(group)
      await clock.sleep(10)
    },
    config: { concurrency: 1, prefetch: 100 },
  })
  queue.put([...many(40, 'acme'), ...many(3, 'bolt')])
  consumer.start()
  await settled()
  await clock.advance(1_000)
  expect(order).toHaveLength(43)
  expect(order.lastIndexOf('bolt')).toBeLessThan(12)
  await end(clock, consumer)
})

test('caps of single tenants: so many at once, so many a second', async () => {
  let most = 0
  let now = 0
  const { clock, queue, consumer } = setUp({
    handler: async ({ group }) => {
      if (group === 'acme') most = Math.max(most, ++now)
      await clock.sleep(100)
      if (group === 'acme') now--
    },
    config: { concurrency: 10, perTenant: { concurrency: 3, rate: '20/s' } },
  })
  queue.put(many(100, 'acme'))
  consumer.start()
  await settled()
  await clock.advance(2_000)
  expect(most).toBeLessThanOrEqual(3)
  expect(consumer.stats().handled).toBeGreaterThan(30)
  expect(consumer.stats().handled).toBeLessThanOrEqual(42)
  const stopped = consumer.stop()
  await clock.advance(100)
  await stopped
})

test('the excess of a noisy tenant goes aside, and comes back when nothing fresh waits', async () => {
  const order: string[] = []
  const { clock, queue, overflow, consumer, observe } = setUp({
    handler: async ({ group }) => {
      order.push(group)
      await clock.sleep(20)
    },
    config: { concurrency: 2, sideline: { queue: 'overflow' } },
  })
  queue.put([...many(500, 'acme'), ...many(5, 'bolt')])
  consumer.start()
  await settled()
  await clock.advance(400)
  expect(order.filter((group) => group === 'bolt')).toHaveLength(5)
  expect(consumer.stats().sidelined).toBeGreaterThan(400)
  expect(observe.of('tenant.noisy')).toMatchObject([{ tenant: 'acme' }])
  await clock.advance(6_000)
  expect(consumer.stats().handled).toBe(505)
  expect(queue.size + overflow.size).toBe(0)
  expect(consumer.tenants()).toMatchObject([
    { tenant: 'acme', handled: 500 },
    { tenant: 'bolt', handled: 5, noisy: false },
  ])
  await end(clock, consumer)
})

test('known tenants are served in turn while thousands of invented names flood in', async () => {
  const order: string[] = []
  const { clock, queue, consumer } = setUp({
    handler: async ({ group }) => {
      order.push(group)
      await clock.sleep(20)
    },
    config: { concurrency: 2, sideline: { queue: 'overflow' }, perTenant: { known: ['bolt', 'cask'], accounts: 5 } },
  })
  const invented = Array.from({ length: 3_000 }, (_, i) => ({ key: `n${i}`, group: `n${i}` }))
  queue.put([...invented, ...many(5, 'bolt'), ...many(5, 'cask')])
  consumer.start()
  await settled()
  await clock.advance(600)
  const known = order.filter((group) => group === 'bolt' || group === 'cask')
  expect(known).toHaveLength(10)
  expect(known.slice(0, 6).filter((group) => group === 'bolt')).toHaveLength(3)
  expect(consumer.tenants().map(({ tenant }) => tenant)).toContain('(others)')
  expect(consumer.tenants()).toHaveLength(5 + 2 + 1)
  await end(clock, consumer)
})

test('what is older than the limit lets the fresh go first', async () => {
  const order: string[] = []
  const { clock, queue, consumer } = setUp({
    handler: async ({ key }) => {
      order.push(key)
      await clock.sleep(10)
    },
    config: { concurrency: 1, sideline: { queue: 'overflow', olderThan: '1m', inHand: 100 } },
  })
  queue.put(many(5, 'acme', 'old'))
  await clock.advance(120_000)
  queue.put(many(5, 'acme', 'fresh'))
  consumer.start()
  await settled()
  await clock.advance(500)
  expect(order).toEqual(['fresh0', 'fresh1', 'fresh2', 'fresh3', 'fresh4', 'old0', 'old1', 'old2', 'old3', 'old4'])
  await end(clock, consumer)
})

test('a wall clock that is set forwards makes no message old', async () => {
  const { clock, queue, consumer } = setUp({ config: { concurrency: 1, sideline: { queue: 'overflow', olderThan: '1m', inHand: 100 } } })
  queue.put(many(5, 'acme'))
  clock.step(2 * 3_600_000)
  consumer.start()
  await settled()
  await clock.advance(500)
  expect(consumer.stats()).toMatchObject({ handled: 5, sidelined: 0 })
  await end(clock, consumer)
})

test('FIFO: serial inside a group, groups in parallel, and a failure holds back only its own', async () => {
  const done: string[] = []
  const running = new Map<string, number>()
  let fails = 3
  const { clock, queue, consumer } = setUp({
    handler: async ({ key, group }) => {
      running.set(group, (running.get(group) ?? 0) + 1)
      expect(running.get(group)).toBe(1)
      await clock.sleep(10)
      running.set(group, running.get(group)! - 1)
      if (key === 'a1' && fails-- > 0) throw new Error('not now')
      done.push(key)
    },
    queue: { name: 'door.fifo' },
  })
  queue.put([...many(4, 'a'), ...many(4, 'b')])
  consumer.start()
  await settled()
  await clock.advance(60)
  expect(done.filter((key) => key.startsWith('b'))).toEqual(['b0', 'b1', 'b2', 'b3'])
  await clock.advance(60_000)
  expect(done.filter((key) => key.startsWith('a'))).toEqual(['a0', 'a1', 'a2', 'a3'])
  expect(queue.dead).toEqual([])
  await end(clock, consumer)
})

test('FIFO: poison is buried after its tries, and takes none of its successors with it', async () => {
  const done: string[] = []
  const { clock, queue, consumer } = setUp({
    handler: async ({ key }) => {
      if (key === 'a1') throw new Error('never')
      done.push(key)
    },
    queue: { name: 'door.fifo' },
    config: { maxReceives: 3 },
  })
  queue.put(many(4, 'a'))
  consumer.start()
  await settled()
  await clock.advance(60_000)
  expect(done).toEqual(['a0', 'a2', 'a3'])
  expect(queue.dead.map(({ item, reason }) => [item.key, reason])).toEqual([['a1', 'HANDLER_FAILED: failed 3 times']])
  await end(clock, consumer)
})

test('errors downstream slow the consumer down, and it recovers', async () => {
  let broken = true
  const { clock, queue, consumer, observe } = setUp({
    handler: async () => {
      await clock.sleep(50)
      if (broken) throw new Error('503')
    },
    config: { maxReceives: 1_000, retry: { base: '1s', cap: '2s' } },
  })
  queue.put(many(500))
  consumer.start()
  await settled()
  await clock.advance(6_000)
  expect(consumer.stats().pace).toBeLessThan(0.2)
  expect(observe.of('consumer.slowed').length).toBeGreaterThan(1)
  broken = false
  await clock.advance(30_000)
  queue.put(many(100))
  await clock.advance(5_000)
  expect(consumer.stats()).toMatchObject({ pace: 1, handled: 600 })
  expect(observe.of('consumer.recovered')).toHaveLength(1)
  await end(clock, consumer)
})

test('of a packed message only the parts that failed are tried again or buried', async () => {
  const seen: string[] = []
  let fails = 1
  const { clock, queue, consumer } = setUp({
    handler: async ({ key }) => {
      seen.push(key)
      if (key === 'p1' && fails-- > 0) throw new Error('not now')
      if (key === 'p2') throw new PermanentFailure('unknown unit')
    },
    unpack: ({ key }) => (key === 'pack' ? ['p0', 'p1', 'p2', 'p3'].map((part) => ({ key: part, body: Buffer.from(part) })) : undefined),
  })
  queue.put([{ key: 'pack', group: 'acme' }])
  consumer.start()
  await settled()
  await clock.advance(10_000)
  expect(seen).toEqual(['p0', 'p1', 'p2', 'p3', 'p1'])
  expect(queue.dead.map(({ item, reason }) => [item.key, reason])).toEqual([['p2', 'HANDLER_REFUSED: unknown unit']])
  expect(queue.size).toBe(0)
  await end(clock, consumer)
})

test('work-conserving: fairness costs no throughput', async () => {
  const finishedAt = async (fairness: boolean) => {
    const { clock, queue, consumer } = setUp({ handler: async () => {}, config: { rate: '100/s', fairness, prefetch: 50 } })
    queue.put([...many(300, 'acme'), ...many(20, 'bolt')])
    consumer.start()
    await settled()
    for (let ms = 0; ; ms += 10) {
      if (consumer.stats().handled === 320) return ms
      await clock.advance(10)
    }
  }
  const [fair, unfair] = [await finishedAt(true), await finishedAt(false)]
  expect(Math.abs(fair - unfair)).toBeLessThanOrEqual(0.05 * unfair)
})

test('poison does not delay the rest', async () => {
  const p95 = async (poison: boolean) => {
    const dwell: number[] = []
    const { clock, queue, consumer } = setUp({
      handler: async ({ key, sentAt }) => {
        await clock.sleep(20)
        const n = Number(key)
        if (poison && n % 100 === 3) throw new Error('never')
        if (poison && n % 100 === 4) throw new PermanentFailure('no')
        if (n % 100 !== 3 && n % 100 !== 4) dwell.push(clock.now() - sentAt)
      },
    })
    consumer.start()
    for (let i = 0; i < 1_000; i += 10) {
      queue.put(many(10).map((_, j) => ({ key: String(i + j) })))
      await clock.advance(30)
    }
    await clock.advance(60_000)
    expect(dwell).toHaveLength(980)
    expect(queue.dead).toHaveLength(poison ? 20 : 0)
    await end(clock, consumer)
    return dwell.sort((a, b) => a - b)[931]!
  }
  const [without, with_] = [await p95(false), await p95(true)]
  expect(with_).toBeLessThanOrEqual(1.1 * without)
})

test('no lease is prolonged past twelve hours', async () => {
  const { clock, queue, consumer } = setUp({
    handler: () => new Promise(() => {}),
    queue: { visibilityMs: 3_600_000 },
    config: { visibilityTimeout: '1h', handlerTimeout: '12h', stopTimeout: '1s' },
  })
  queue.put([{ key: 'endless' }])
  consumer.start()
  await settled()
  for (let hours = 0; hours < 12; hours += 0.1) await clock.advance(360_000)
  expect(queue.calls.hold).toBeGreaterThanOrEqual(20)
  const holds = queue.calls.hold
  expect(holds).toBeLessThanOrEqual(24)
  await end(clock, consumer)
}, 20_000)

test('an item somebody else has meanwhile is not handled again from here', async () => {
  const seen: string[] = []
  const first = Promise.withResolvers<void>()
  const { clock, queue, consumer, observe } = setUp({
    handler: ({ key }) => {
      seen.push(key)
      return key === '0' ? first.promise : Promise.resolve()
    },
    config: { concurrency: 1 },
  })
  queue.put(many(2))
  const hold = queue.hold
  queue.hold = async (item, ms) => {
    if (item.key === '1') throw new GatewayError('LEASE_LOST', 'gone')
    await hold(item, ms)
  }
  consumer.start()
  await settled()
  await clock.advance(15_000)
  expect(observe.of('consumer.expired')).toHaveLength(1)
  first.resolve()
  await settled()
  expect(seen).toEqual(['0'])
  await end(clock, consumer)
})

test('what could not be removed is tried again, and only that', async () => {
  const { clock, queue, consumer } = setUp()
  queue.put(many(3))
  const remove = queue.remove
  const removed: string[][] = []
  let fails = 2
  queue.remove = async (items) => {
    removed.push(items.map(({ key }) => key))
    if (items[0]!.key === '1' && fails-- > 0) throw new GatewayError('QUEUE_REFUSED', 'no', { details: { failed: items } })
    await remove(items)
  }
  consumer.start()
  await settled()
  await clock.advance(5_000)
  expect(removed.flat().sort()).toEqual(['0', '1', '1', '1', '2'])
  expect(queue.size).toBe(0)
  await end(clock, consumer)
})

test('a queue that is away is asked again and again, with growing waits, and told about', async () => {
  const { clock, queue, consumer, observe } = setUp()
  const { receive } = queue
  let tries = 0
  queue.receive = async (...args) => {
    if (++tries <= 5) throw new GatewayError('QUEUE_UNREACHABLE', 'away')
    return receive(...args)
  }
  queue.put(many(1))
  consumer.start()
  await settled()
  await clock.advance(60_000)
  expect(observe.of('consumer.unreachable')).toHaveLength(5)
  expect(consumer.stats().handled).toBe(1)
  await end(clock, consumer)
})

test('two consumers share a queue without handling anything twice', async () => {
  const seen: string[] = []
  const handler = async ({ key }: Item) => {
    await one.clock.sleep(10)
    seen.push(key)
  }
  const one = setUp({ handler })
  const two = createConsumer({ ...one.deps, random: createRandom(8) })
  one.queue.put(many(500))
  one.consumer.start()
  two.start()
  await settled()
  await one.clock.advance(2_000)
  expect(seen).toHaveLength(500)
  expect(new Set(seen).size).toBe(500)
  expect(two.stats().handled).toBeGreaterThan(50)
  await end(one.clock, one.consumer, two)
})

test('a dead-letter queue that is away: the message stays, and is buried later', async () => {
  const { clock, queue, consumer } = setUp({
    handler: async () => {
      throw new PermanentFailure('no')
    },
  })
  const { bury } = queue
  let fails = 2
  queue.bury = async (item, reason) => {
    if (fails-- > 0) throw new GatewayError('QUEUE_UNREACHABLE', 'away')
    await bury(item, reason)
  }
  queue.put([{ key: 'bad' }])
  consumer.start()
  await settled()
  await clock.advance(30_000)
  expect(queue.dead).toHaveLength(1)
  expect(consumer.stats()).toMatchObject({ buried: 1, failed: 0 })
  await end(clock, consumer)
})

test('FIFO and packed: a part that fails holds the rest, and what is done is not done again', async () => {
  const seen: string[] = []
  let fails = 1
  const { clock, queue, consumer } = setUp({
    handler: async ({ key }) => {
      seen.push(key)
      if (key === 'p1' && fails-- > 0) throw new Error('not now')
    },
    unpack: ({ key }) => (key === 'pack' ? ['p0', 'p1', 'p2'].map((part) => ({ key: part, body: Buffer.from(part) })) : undefined),
    queue: { name: 'door.fifo' },
  })
  queue.put([
    { key: 'pack', group: 'a' },
    { key: 'next', group: 'a' },
  ])
  consumer.start()
  await settled()
  await clock.advance(10_000)
  expect(seen).toEqual(['p0', 'p1', 'p1', 'p2', 'next'])
  await end(clock, consumer)
})

test('poison that went aside still ends in the dead-letter queue of the main one, after as many tries', async () => {
  const tries = new Map<string, number>()
  const { clock, queue, overflow, consumer } = setUp({
    handler: async ({ key, receives }) => {
      tries.set(key, (tries.get(key) ?? 0) + 1)
      if (key === 'acme7') throw new Error('never')
      expect(receives).toBe(1)
    },
    config: { concurrency: 1, maxReceives: 3, sideline: { queue: 'overflow', inHand: 1 }, retry: { base: '1s', cap: '2s' } },
  })
  queue.put(many(20, 'acme'))
  consumer.start()
  await settled()
  await clock.advance(120_000)
  expect(consumer.stats()).toMatchObject({ handled: 19, buried: 1 })
  expect(consumer.stats().sidelined).toBeGreaterThan(0)
  expect(tries.get('acme7')).toBe(3)
  expect(queue.dead.map(({ item }) => item.key)).toEqual(['acme7'])
  expect(overflow.dead).toEqual([])
  expect(queue.size + overflow.size).toBe(0)
  await end(clock, consumer)
})

test.each([4, 20])('FIFO: %i groups that fail, with all their successors in hand, take no place from the others', async (bad) => {
  const done: string[] = []
  const { clock, queue, consumer } = setUp({
    handler: async ({ key, group }) => {
      if (group.startsWith('bad')) throw new Error('never')
      done.push(key)
    },
    queue: { name: 'door.fifo' },
  })
  queue.bury = () => Promise.reject(new GatewayError('DEAD_LETTER_QUEUE_MISSING', 'as the test wants it'))
  for (let i = 0; i < bad; i++) queue.put(many(10, `bad${i}`))
  for (let i = 0; i < 50; i++) queue.put(many(1, `good${i}`))
  consumer.start()
  await settled()
  await clock.advance(1_000)
  expect(done).toHaveLength(50)
  await end(clock, consumer)
})

test('FIFO: when the lease of the first is lost, those behind it are given back with it', async () => {
  const seen: string[] = []
  let fails = 1
  const { clock, queue, consumer } = setUp({
    handler: async ({ key }) => {
      const failed = key === 'a0' && fails-- > 0
      seen.push(failed ? `${key} failed` : key)
      if (failed) throw new Error('not now')
    },
    queue: { name: 'door.fifo', visibilityMs: 6_000 },
    config: { visibilityTimeout: '6s', retry: { base: '40s', cap: '40s' } },
  })
  const { hold } = queue
  queue.hold = async (item, ms) => {
    if (item.key === 'a0') throw new GatewayError('LEASE_LOST', 'as the test wants it')
    await hold(item, ms)
  }
  queue.put(many(3, 'a'))
  consumer.start()
  await settled()
  await clock.advance(120_000)
  expect(seen).toEqual(['a0 failed', 'a0', 'a1', 'a2'])
  await end(clock, consumer)
})

test('a lease that could not be prolonged is tried again before it ends', async () => {
  const work = Promise.withResolvers<void>()
  let handled = 0
  const { clock, queue, consumer, observe } = setUp({
    handler: () => {
      handled++
      return work.promise
    },
    config: { handlerTimeout: '10m' },
  })
  const { hold } = queue
  let fails = 2
  queue.hold = async (item, ms) => {
    if (fails-- > 0) throw new GatewayError('QUEUE_UNREACHABLE', 'as the test wants it')
    await hold(item, ms)
  }
  queue.put(many(1))
  consumer.start()
  await settled()
  await clock.advance(120_000)
  work.resolve()
  await end(clock, consumer)
  expect({ handled, left: queue.size, expired: observe.of('consumer.expired') }).toEqual({ handled: 1, left: 0, expired: [] })
})

test('a stop does not begin the next reading of a pack', async () => {
  const seen: string[] = []
  const { clock, queue, consumer } = setUp({
    handler: ({ key }, signal) => {
      seen.push(key)
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    },
    unpack: () => ['p0', 'p1', 'p2'].map((key) => ({ key, body: Buffer.from(key) })),
    config: { stopTimeout: '1s', handlerTimeout: '10m' },
  })
  const sent = Promise.withResolvers<void>()
  queue.send = () => sent.promise // the first part is on its way back to the queue when the stop comes
  queue.put(many(1))
  consumer.start()
  await settled()
  await clock.advance(600_000)
  expect(seen).toEqual(['p0'])
  const stopped = consumer.stop()
  await clock.advance(2_000)
  sent.resolve()
  await stopped
  expect(seen).toEqual(['p0'])
  expect(queue.size).toBe(1)
})

test('a dead letter is sent once, however often its removal fails', async () => {
  const { clock, queue, consumer } = setUp({ handler: async () => Promise.reject(new PermanentFailure('never')) })
  const { remove } = queue
  let fails = 3
  queue.remove = async (items) => {
    if (fails-- > 0) throw new GatewayError('QUEUE_UNREACHABLE', 'as the test wants it')
    await remove(items)
  }
  queue.put(many(1))
  consumer.start()
  await settled()
  await clock.advance(120_000)
  expect({ dead: queue.dead.length, left: queue.size, buried: consumer.stats().buried }).toEqual({ dead: 1, left: 0, buried: 1 })
  await end(clock, consumer)
})

test('a reading that nobody takes is no failure of its pack, which is not buried for it', async () => {
  const { clock, queue, consumer } = setUp({
    handler: async ({ key }) => {
      if (key === 'p1') throw new PermanentFailure('never')
    },
    unpack: ({ key }) => (key === 'pack' ? ['p0', 'p1', 'p2'].map((part) => ({ key: part, body: Buffer.from(part) })) : undefined),
    config: { maxReceives: 3, retry: { base: '1s', cap: '1s' } },
  })
  const { bury } = queue
  let away = true
  queue.bury = async (item, reason) => {
    if (away && item.key === 'p1') throw new GatewayError('QUEUE_UNREACHABLE', 'as the test wants it')
    await bury(item, reason)
  }
  queue.put([{ key: 'pack' }])
  consumer.start()
  await settled()
  await clock.advance(300_000)
  expect({ dead: queue.dead, left: queue.size }).toEqual({ dead: [], left: 1 })
  away = false
  await clock.advance(60_000)
  expect({ dead: queue.dead.map(({ item }) => item.key), left: queue.size }).toEqual({ dead: ['p1'], left: 0 })
  await end(clock, consumer)
})

test.each(['constructor', '__proto__', 'toString'])('a tenant called %s is a tenant like any other', async (noisy) => {
  const seen: string[] = []
  const { clock, queue, consumer } = setUp({
    handler: async ({ key }) => {
      seen.push(key)
      await clock.sleep(10)
    },
    config: { concurrency: 1 },
  })
  queue.put([...many(15, noisy, 'n'), ...many(3, 'quiet', 'q')])
  consumer.start()
  await settled()
  await clock.advance(1_000)
  expect(seen.indexOf('q2')).toBeLessThan(10)
  await end(clock, consumer)
})
