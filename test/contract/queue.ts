// What every Queue promises, whoever provides it.
import { expect, test } from 'vitest'
import type { Item, Outgoing, Queue } from '../../gateway/consume/queue.ts'
import { systemClock as clock } from '../../lib/clock.ts'

export interface QueueContract {
  /** A fresh queue with a visibility timeout of 30 seconds; the name says whether it is FIFO. */
  create(name: string): Queue
  /** What was buried, with its reason. */
  dead(queue: Queue): Promise<readonly { readonly key: string; readonly reason: string }[]>
}

const { signal } = new AbortController()

export function testQueue({ create, dead }: QueueContract): void {
  let serial = 0
  const fresh = (suffix = '') => create(`contract-${++serial}${suffix}`)
  const messages = (count: number, group = 'acme'): Outgoing[] =>
    Array.from({ length: count }, (_, i) => ({ id: `${group}${i}`, key: `${group}${i}`, group, attributes: {}, body: Buffer.from(`${i}`) }))
  const receiveAll = async (queue: Queue, count: number) => {
    const items: Item[] = []
    while (items.length < count) items.push(...(await queue.receive(10, 1_000, signal)))
    return items
  }

  test('everything sent is received once, and in hand of nobody else', async () => {
    const queue = fresh()
    await queue.send(messages(23))
    const items = await receiveAll(queue, 23)
    expect(new Set(items.map(({ key }) => key)).size).toBe(23)
    expect(await queue.receive(10, 0, signal)).toEqual([])
    expect(await queue.depth()).toMatchObject({ waiting: 0, inFlight: 23 })
    await queue.remove(items)
    expect(await queue.depth()).toMatchObject({ waiting: 0, inFlight: 0 })
  })

  test('an item carries body, group, key, attributes, and when it was first sent', async () => {
    const queue = fresh()
    await queue.send([
      { id: '1', key: 'k1', group: 'bolt', body: Buffer.from('°C'), attributes: { site: 'x', sentAt: '1234', tries: '2' } },
    ])
    const [item] = await queue.receive(1, 1_000, signal)
    expect(item).toMatchObject({ key: 'k1', group: 'bolt', receives: 3, sentAt: 1234 })
    expect(item!.attributes).toMatchObject({ site: 'x' })
    expect(Buffer.from(item!.body).toString()).toBe('°C')
  })

  test('a wait ends with the first message, not with its time', async () => {
    const queue = fresh()
    const from = clock.monotonic()
    const waiting = queue.receive(10, 20_000, signal)
    await queue.send(messages(1))
    expect(await waiting).toHaveLength(1)
    expect(clock.monotonic() - from).toBeLessThan(10_000)
  })

  test('a wait ends when it is aborted', async () => {
    const queue = fresh()
    const stop = new AbortController()
    const waiting = queue.receive(10, 20_000, stop.signal)
    stop.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow()
  })

  test('a held item comes back after its time, with one receive more', async () => {
    const queue = fresh()
    await queue.send(messages(1))
    const [item] = await queue.receive(1, 1_000, signal)
    await queue.hold(item!, 1_000)
    expect(await queue.receive(1, 0, signal)).toEqual([])
    const [again] = await queue.receive(1, 5_000, signal)
    expect(again).toMatchObject({ key: item!.key, receives: 2 })
  })

  test('a buried item is gone, its reason kept; of a copy only the copy is buried', async () => {
    const queue = fresh()
    await queue.send(messages(2))
    const [first, second] = await receiveAll(queue, 2)
    await queue.bury(first!, 'HANDLER_REFUSED: no')
    await queue.bury({ ...second!, key: 'part' }, 'HANDLER_REFUSED: part')
    expect(await queue.depth()).toMatchObject({ waiting: 0, inFlight: 1 })
    expect((await dead(queue)).toSorted((a, b) => a.reason.localeCompare(b.reason))).toEqual([
      { key: first!.key, reason: 'HANDLER_REFUSED: no' },
      { key: 'part', reason: 'HANDLER_REFUSED: part' },
    ])
  })

  test('FIFO: a group is in order, and blocked while one of it is in hand', async () => {
    const queue = fresh('.fifo')
    await queue.send([...messages(3, 'a'), ...messages(3, 'b')])
    const order: string[] = []
    while (order.length < 6) {
      const items = await queue.receive(10, 1_000, signal)
      expect(await queue.receive(10, 0, signal)).toEqual([])
      order.push(...items.map(({ key }) => key))
      await queue.remove(items)
    }
    expect(order.filter((key) => key.startsWith('a'))).toEqual(['a0', 'a1', 'a2'])
    expect(order.filter((key) => key.startsWith('b'))).toEqual(['b0', 'b1', 'b2'])
  })
}
