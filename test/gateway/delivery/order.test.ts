import { expect, test } from 'vitest'
import { fromPromise } from '../../../gateway/actions/action.ts'
import { withOrder } from '../../../gateway/delivery/order.ts'
import { GatewayError } from '../../../gateway/errors.ts'
import { createDelivery, delivered } from '../../helpers/delivery.ts'
import { settled } from '../../helpers/manual-clock.ts'

function setUp() {
  const started: string[] = []
  const work = new Map<string, PromiseWithResolvers<void>>()
  const target = {
    action: 'test',
    deliver: fromPromise(({ key }) => {
      started.push(key)
      const made = Promise.withResolvers<void>()
      work.set(key, made)
      return made.promise
    }),
  }
  const stopping = new AbortController()
  const sink = withOrder(target, ({ key }) => (key.startsWith('?') ? undefined : key.charAt(0)))
  const deliver = (key: string) => {
    const done = delivered(sink, createDelivery({ key }), stopping.signal)
    done.catch(() => undefined)
    return done
  }
  return { started, work, deliver, stopping }
}

test('within a group one after another, between groups side by side', async () => {
  const { started, work, deliver } = setUp()
  for (const key of ['a1', 'a2', 'b1', '?1', 'a3', '?2']) deliver(key)
  expect(started).toEqual(['a1', 'b1', '?1', '?2'])
  work.get('a1')?.resolve()
  await settled()
  expect(started).toEqual(['a1', 'b1', '?1', '?2', 'a2'])
  work.get('a2')?.resolve()
  await settled()
  expect(started.at(-1)).toBe('a3')
})

test('one that was refused for good makes way for the next', async () => {
  const { started, work, deliver } = setUp()
  const first = deliver('a1')
  deliver('a2')
  work.get('a1')?.reject(new GatewayError('ACTION_REFUSED', 'no'))
  await expect(first).rejects.toMatchObject({ code: 'ACTION_REFUSED' })
  await settled()
  expect(started).toEqual(['a1', 'a2'])
})

test('one left unsettled leaves those behind it unsettled too: none may overtake it', async () => {
  const { started, work, deliver, stopping } = setUp()
  const all = ['a1', 'a2', 'a3'].map(deliver)
  stopping.abort()
  work.get('a1')?.reject(new GatewayError('ACTION_FAILED', 'abandoned'))
  const results = await Promise.allSettled(all)
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
  expect(started).toEqual(['a1'])
})

test('a group that has come to rest is forgotten, and starts afresh', async () => {
  const { started, work, deliver } = setUp()
  const first = deliver('a1')
  work.get('a1')?.resolve()
  await first
  await settled()
  deliver('a2')
  expect(started).toEqual(['a1', 'a2'])
})

test('a group that cannot be told fails its own delivery only', async () => {
  const sink = withOrder({ action: 'test', deliver: fromPromise(async () => undefined) }, ({ key }) => {
    if (key === '?') throw new GatewayError('RULE_FAILED', 'undefined in a template')
    return key
  })
  const { signal } = new AbortController()
  await expect(delivered(sink, createDelivery({ key: '?' }), signal)).rejects.toMatchObject({ code: 'RULE_FAILED' })
  await delivered(sink, createDelivery({ key: 'a' }), signal)
})

test('a sink that takes the place of another goes on behind what that one still has', async () => {
  const order: string[] = []
  const first = Promise.withResolvers<void>()
  const tails = new Map()
  const make = (name: string, made: Promise<void>) =>
    withOrder(
      {
        action: 'test',
        deliver: fromPromise(async ({ key }) => {
          await made
          order.push(`${name} ${key}`)
        }),
      },
      () => 'doors.fifo d1',
      tails,
    )
  const [old, next] = [make('old', first.promise), make('next', Promise.resolve())]
  const { signal } = new AbortController()
  const all = [
    delivered(old, createDelivery({ key: '1' }), signal),
    delivered(old, createDelivery({ key: '2' }), signal),
    delivered(next, createDelivery({ key: '3' }), signal),
    delivered(next, createDelivery({ key: '4', rule: 'other' }), signal),
  ]
  await settled()
  expect(order).toEqual(['next 4'])
  first.resolve()
  await Promise.all(all)
  expect(order).toEqual(['next 4', 'old 1', 'old 2', 'next 3'])
})
