import { expect, test } from 'vitest'
import { createSlots } from '../../../gateway/actions/slots.ts'
import { settled } from '../../helpers/manual-clock.ts'

test('no more than allowed run at once, in the order they came, and a failure frees its slot', async () => {
  const inSlot = createSlots(2)
  const started: number[] = []
  const work = [0, 1, 2, 3].map(() => Promise.withResolvers<void>())
  const results = work.map(({ promise }, i) =>
    inSlot(() => {
      started.push(i)
      return promise
    }).catch(() => 'failed'),
  )
  await settled()
  expect(started).toEqual([0, 1])
  work[1]?.reject(new Error('no'))
  await settled()
  expect(started).toEqual([0, 1, 2])
  for (const { resolve } of work) resolve()
  expect(await Promise.all(results)).toEqual([undefined, 'failed', undefined, undefined])
  expect(started).toEqual([0, 1, 2, 3])
})
