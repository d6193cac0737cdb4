import { expect, test } from 'vitest'
import { createInOrder } from '../../lib/in-order.ts'
import { settled } from '../helpers/manual-clock.ts'

test('a later call waits for its elders, however early its work is done', async () => {
  const inOrder = createInOrder()
  const seen: string[] = []
  const first = Promise.withResolvers<void>()
  inOrder(first.promise).then(() => seen.push('first'))
  inOrder(Promise.resolve()).then(() => seen.push('second'))
  await settled()
  expect(seen).toEqual([])
  first.resolve()
  await settled()
  expect(seen).toEqual(['first', 'second'])
})

test('a failure keeps its place and stops nobody behind it', async () => {
  const inOrder = createInOrder()
  const seen: string[] = []
  const first = Promise.withResolvers<void>()
  inOrder(first.promise).then(() => seen.push('first'))
  inOrder(Promise.reject(new Error('no'))).catch(() => seen.push('second failed'))
  inOrder(Promise.resolve()).then(() => seen.push('third'))
  await settled()
  expect(seen).toEqual([])
  first.resolve()
  await settled()
  expect(seen).toEqual(['first', 'second failed', 'third'])
})
