// The order of acknowledgements, how many go into a write, and when a connection has had enough.
import { Writable } from 'node:stream'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createLine, type LineClient, type OpenBytes } from '../../../gateway/broker/line.ts'

const tick = () => new Promise((resolve) => setImmediate(resolve))

function aLine(
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
  const line = createLine({
    client: client as unknown as LineClient,
    maxOpen: options.maxOpen ?? 1_000,
    maxOpenBytes: options.maxOpenBytes ?? 1_000_000,
    ...(options.shared ? { shared: options.shared } : {}),
    onRoom: () => rooms.count++,
  })
  return { line, writes, client, drains, rooms }
}

test('a PUBACK waits for those before it, and all that are due go in one write', async () => {
  const { line, writes } = aLine()
  const [first, second, third] = [line.enter(1, 10), line.enter(2, 10), line.enter(0x1234, 10)]
  line.acknowledge(third)
  line.acknowledge(second)
  await tick()
  expect(writes).toEqual([])
  line.acknowledge(first)
  await tick()
  expect(writes).toEqual(['40020001' + '40020002' + '40021234'])
})

test('QoS 0 has its place in the line and no PUBACK', async () => {
  const { line, writes } = aLine()
  const [first, second] = [line.enter(0, 10), line.enter(7, 10)]
  line.acknowledge(second)
  line.acknowledge(first)
  await tick()
  expect(writes).toEqual(['40020007'])
})

test('what happens instead of a PUBACK happens in turn, behind the PUBACKs that were due', async () => {
  const { line, writes } = aLine()
  const [first, second, third] = [line.enter(1, 1), line.enter(2, 1), line.enter(3, 1)]
  line.settle(second, () => writes.push('second'))
  line.acknowledge(third)
  expect(writes).toEqual([])
  line.acknowledge(first)
  expect(writes).toEqual(['40020001', 'second'])
  await tick()
  expect(writes).toEqual(['40020001', 'second', '40020003'])
})

test('whatever the order they are settled in, they leave in the order they came', async () => {
  const order = fc.integer({ min: 1, max: 40 }).chain((size) => {
    const ids = Array.from({ length: size }, (_, i) => i + 1)
    return fc.tuple(fc.shuffledSubarray(ids, { minLength: size }), fc.subarray(ids))
  })
  await fc.assert(
    fc.asyncProperty(order, async ([order, slow]) => {
      const { line, writes } = aLine()
      const turns = order.map((_, index) => line.enter(index + 1, 1))
      for (const id of order) {
        if (slow.includes(id)) line.settle(turns[id - 1]!, () => writes.push(`4002${id.toString(16).padStart(4, '0')}`))
        else line.acknowledge(turns[id - 1]!)
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
  const { line, rooms } = aLine({ maxOpen: 4 })
  const turns = [1, 2, 3, 4].map((id) => line.enter(id, 1))
  expect(line.isFull()).toBe(true)
  line.acknowledge(turns[0]!)
  await tick()
  expect([line.isFull(), rooms.count]).toEqual([true, 0])
  line.acknowledge(turns[1]!)
  await tick()
  expect([line.isFull(), rooms.count]).toEqual([false, 1])
})

test('it is full at its limit of bytes', async () => {
  const { line, rooms } = aLine({ maxOpenBytes: 100 })
  const turn = line.enter(1, 100)
  expect(line.isFull()).toBe(true)
  line.acknowledge(turn)
  await tick()
  expect([line.isFull(), rooms.count]).toEqual([false, 1])
})

test('it is full while the device does not read its PUBACKs', async () => {
  const { line, drains, rooms } = aLine({ stuck: true })
  line.acknowledge(line.enter(1, 1))
  await tick()
  expect([line.isFull(), drains.length]).toEqual([true, 1])
  drains[0]!()
  await tick()
  expect([line.isFull(), rooms.count]).toEqual([false, 1])
})

test.each([
  ['the connection was closed', { closed: true }],
  ['a DISCONNECT was sent', { disconnectReasonCode: 0x89 }],
])('nothing is written after %s', async (_, state) => {
  const { line, writes, client } = aLine()
  Object.assign(client, state)
  line.acknowledge(line.enter(1, 1))
  await tick()
  expect(writes).toEqual([])
})

test('when all connections together have too much open, each of them goes on with 16 KiB', async () => {
  const shared = { bytes: 0, max: 1_000_000 }
  const [greedy, other] = [aLine({ shared }), aLine({ shared })]
  const open = Array.from({ length: 9 }, (_, i) => greedy.line.enter(i + 1, 110_000))
  expect(greedy.line.isFull()).toBe(false)
  const small = other.line.enter(1, 10_000)
  expect([shared.bytes, other.line.isFull()]).toEqual([1_000_000, false])
  const more = other.line.enter(2, 10_000)
  open.push(greedy.line.enter(10, 10))
  expect([greedy.line.isFull(), other.line.isFull()]).toEqual([true, true])
  other.line.acknowledge(small)
  other.line.acknowledge(more)
  await tick()
  expect([other.rooms.count, other.line.isFull()]).toEqual([1, false])
  for (const turn of open) greedy.line.acknowledge(turn)
  await tick()
  expect([greedy.rooms.count, shared.bytes]).toEqual([1, 0])
})
