// The order of acknowledgements, how many go into a write, and when a connection has had enough.
import { Writable } from 'node:stream'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type AckClient, createAckQueue, type OpenBytes } from '../../../gateway/broker/ack-queue.ts'

const tick = () => new Promise((resolve) => setImmediate(resolve))

function aQueue(
  options: { readonly stuck?: boolean; readonly maxOpen?: number; readonly maxOpenBytes?: number; readonly shared?: OpenBytes } = {},
) {
  const writes: string[] = []
  const conn = new Writable({
    highWaterMark: 4,
    write(bytes: Buffer, _encoding, done) {
      writes.push(bytes.toString('hex'))
      if (!options.stuck) done()
    },
  })
  const drains: (() => void)[] = []
  const client = { conn, closed: false, disconnectReasonCode: null as number | null, waitForDrain: (done: () => void) => drains.push(done) }
  const rooms = { count: 0 }
  const queue = createAckQueue({
    client: client as unknown as AckClient,
    maxOpen: options.maxOpen ?? 1_000,
    maxOpenBytes: options.maxOpenBytes ?? 1_000_000,
    ...(options.shared ? { shared: options.shared } : {}),
    onRoom: () => rooms.count++,
  })
  return { queue, writes, client, drains, rooms }
}

test('a PUBACK waits for those before it, and all that are due go in one write', async () => {
  const { queue, writes } = aQueue()
  const [first, second, third] = [queue.enter(1, 10), queue.enter(2, 10), queue.enter(0x1234, 10)]
  queue.acknowledge(third)
  queue.acknowledge(second)
  await tick()
  expect(writes).toEqual([])
  queue.acknowledge(first)
  await tick()
  expect(writes).toEqual(['40020001' + '40020002' + '40021234'])
})

test('QoS 0 has its place in the queue and no PUBACK', async () => {
  const { queue, writes } = aQueue()
  const [first, second] = [queue.enter(0, 10), queue.enter(7, 10)]
  queue.acknowledge(second)
  queue.acknowledge(first)
  await tick()
  expect(writes).toEqual(['40020007'])
})

test('another answer is given in turn, after the PUBACKs that were due', async () => {
  const { queue, writes } = aQueue()
  const [first, second, third] = [queue.enter(1, 1), queue.enter(2, 1), queue.enter(3, 1)]
  queue.answer(second, () => writes.push('second'))
  queue.acknowledge(third)
  expect(writes).toEqual([])
  queue.acknowledge(first)
  expect(writes).toEqual(['40020001', 'second'])
  await tick()
  expect(writes).toEqual(['40020001', 'second', '40020003'])
})

test('delivers in turn, and writes the PUBACK after the delivery', async () => {
  const { queue, writes } = aQueue()
  const [first, second] = [queue.enter(1, 1), queue.enter(2, 1)]
  queue.acknowledge(second, () => writes.push('second'))
  expect(writes).toEqual([])
  queue.acknowledge(first, () => writes.push('first'))
  expect(writes).toEqual(['first', 'second'])
  await tick()
  expect(writes).toEqual(['first', 'second', '4002000140020002'])
})

test('acknowledges in the order of the publishes, whatever the order in which they become ready', async () => {
  const order = fc.integer({ min: 1, max: 40 }).chain((size) => {
    const ids = Array.from({ length: size }, (_, i) => i + 1)
    return fc.tuple(fc.shuffledSubarray(ids, { minLength: size }), fc.subarray(ids))
  })
  await fc.assert(
    fc.asyncProperty(order, async ([order, slow]) => {
      const { queue, writes } = aQueue()
      const entered = order.map((_, index) => queue.enter(index + 1, 1))
      for (const id of order) {
        if (slow.includes(id)) queue.answer(entered[id - 1]!, () => writes.push(`4002${id.toString(16).padStart(4, '0')}`))
        else queue.acknowledge(entered[id - 1]!)
        if (id % 3 === 0) await tick()
      }
      await tick()
      const sent = writes
        .join('')
        .match(/.{8}/g)!
        .map((ack) => Number.parseInt(ack.slice(4), 16))
      expect(sent).toEqual(order.map((_, index) => index + 1))
    }),
    { numRuns: 30 },
  )
})

test('it is full at its limit of messages, and has room when half of them are settled', async () => {
  const { queue, rooms } = aQueue({ maxOpen: 4 })
  const entered = [1, 2, 3, 4].map((id) => queue.enter(id, 1))
  expect(queue.isFull()).toBe(true)
  queue.acknowledge(entered[0]!)
  await tick()
  expect([queue.isFull(), rooms.count]).toEqual([true, 0])
  queue.acknowledge(entered[1]!)
  await tick()
  expect([queue.isFull(), rooms.count]).toEqual([false, 1])
})

test('it is full at its limit of bytes', async () => {
  const { queue, rooms } = aQueue({ maxOpenBytes: 100 })
  const turn = queue.enter(1, 100)
  expect(queue.isFull()).toBe(true)
  queue.acknowledge(turn)
  await tick()
  expect([queue.isFull(), rooms.count]).toEqual([false, 1])
})

test('it is full while the device does not read its PUBACKs', async () => {
  const { queue, drains, rooms } = aQueue({ stuck: true })
  queue.acknowledge(queue.enter(1, 1))
  await tick()
  expect([queue.isFull(), drains.length]).toEqual([true, 1])
  drains[0]!()
  await tick()
  expect([queue.isFull(), rooms.count]).toEqual([false, 1])
})

test.each([
  ['the connection was closed', { closed: true }],
  ['a DISCONNECT was sent', { disconnectReasonCode: 0x89 }],
])('nothing is written after %s', async (_, state) => {
  const { queue, writes, client } = aQueue()
  Object.assign(client, state)
  queue.acknowledge(queue.enter(1, 1))
  await tick()
  expect(writes).toEqual([])
})

test('when all connections together have too much open, each of them goes on with 16 KiB', async () => {
  const shared = { bytes: 0, max: 1_000_000 }
  const [greedy, other] = [aQueue({ shared }), aQueue({ shared })]
  const open = Array.from({ length: 9 }, (_, i) => greedy.queue.enter(i + 1, 110_000))
  expect(greedy.queue.isFull()).toBe(false)
  const small = other.queue.enter(1, 10_000)
  expect([shared.bytes, other.queue.isFull()]).toEqual([1_000_000, false])
  const more = other.queue.enter(2, 10_000)
  open.push(greedy.queue.enter(10, 10))
  expect([greedy.queue.isFull(), other.queue.isFull()]).toEqual([true, true])
  other.queue.acknowledge(small)
  other.queue.acknowledge(more)
  await tick()
  expect([other.rooms.count, other.queue.isFull()]).toEqual([1, false])
  for (const turn of open) greedy.queue.acknowledge(turn)
  await tick()
  expect([greedy.rooms.count, shared.bytes]).toEqual([1, 0])
})
