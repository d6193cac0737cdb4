import { expect, test } from 'vitest'
import { createLimiter, limitEach } from '../../../gateway/consume/limiter.ts'
import { createManualClock } from '../../helpers/manual-clock.ts'

test('gives its rate and not more, whatever the demand', async () => {
  const clock = createManualClock()
  const limiter = createLimiter({ perSecond: 50, clock })
  let taken = 0
  for (let i = 0; i < 30_000; i += 7) {
    while (limiter.tryTake()) taken++
    await clock.advance(7)
  }
  expect(taken).toBeGreaterThanOrEqual(1_495)
  expect(taken).toBeLessThanOrEqual(1_510)
})

test('says how long to wait, and keeps its word', async () => {
  const clock = createManualClock()
  const limiter = createLimiter({ perSecond: 3, burst: 1, clock })
  expect(limiter.waitMs()).toBe(0)
  expect(limiter.tryTake()).toBe(true)
  const waitMs = limiter.waitMs()
  expect(waitMs).toBe(334)
  await clock.advance(waitMs - 2)
  expect(limiter.tryTake()).toBe(false)
  await clock.advance(2)
  expect(limiter.tryTake()).toBe(true)
})

test('an idle time gathers no more than the burst', async () => {
  const clock = createManualClock()
  const limiter = createLimiter({ perSecond: 10, burst: 4, clock })
  await clock.advance(60_000)
  let taken = 0
  while (limiter.tryTake()) taken++
  expect(taken).toBe(4)
})

test('what is borrowed is paid back first', async () => {
  const clock = createManualClock()
  const limiter = createLimiter({ perSecond: 10, burst: 1, clock })
  limiter.tryTake()
  limiter.borrow(9)
  expect(limiter.waitMs()).toBe(1_000)
  await clock.advance(1_000)
  expect(limiter.tryTake()).toBe(true)
})

test('a new rate holds from now on', async () => {
  const clock = createManualClock()
  const limiter = createLimiter({ perSecond: 100, burst: 1, clock })
  limiter.tryTake()
  limiter.setRate(1)
  expect(limiter.waitMs()).toBe(1_000)
  limiter.setRate(Infinity)
  expect(limiter.tryTake()).toBe(true)
  limiter.setRate(2)
  expect(limiter.waitMs()).toBeLessThanOrEqual(500)
})

test('further groups share one bucket when there are 10,000, until some are full again', async () => {
  const clock = createManualClock()
  const waitMs = limitEach(1, clock)
  for (let i = 0; i < 10_000; i++) expect(waitMs(`g${i}`)).toBe(0)
  expect([waitMs('x'), waitMs('y') > 0, waitMs('z') > 0]).toEqual([0, true, true])
  await clock.advance(1_000)
  expect([waitMs('y'), waitMs('z')]).toEqual([0, 0])
})
