import { expect, test } from 'vitest'
import { createCondition } from '../../../gateway/observe/condition.ts'
import { createManualClock } from '../../helpers/manual-clock.ts'
import { createSpyObserve } from '../../helpers/spy-observe.ts'

function setUp() {
  const clock = createManualClock()
  const observe = createSpyObserve()
  return { clock, observe, condition: createCondition({ clock, observe }, { code: 'SPOOL_FAILED' }) }
}

test('reports the start at once and the end after a quiet time, with how long it held', async () => {
  const { clock, observe, condition } = setUp()
  condition.raise({ detail: 'no space left' })
  condition.raise({ detail: 'again' })
  expect(observe.of('gateway.degraded')).toEqual([{ code: 'SPOOL_FAILED', detail: 'no space left' }])
  await clock.advance(10_000)
  condition.clear()
  await clock.advance(500)
  expect(observe.of('gateway.recovered')).toEqual([])
  await clock.advance(500)
  expect(observe.of('gateway.recovered')).toEqual([{ code: 'SPOOL_FAILED', detail: 'no space left', ms: 11_000 }])
})

test('goes on when it returns within the quiet time', async () => {
  const { clock, observe, condition } = setUp()
  for (let i = 0; i < 1_000; i++) {
    condition.raise()
    condition.clear()
    await clock.advance(10)
  }
  expect(observe.recorded).toHaveLength(1)
  await clock.advance(1_000)
  expect(observe.recorded).toHaveLength(2)
})

test('needs a longer quiet time the more often it returns, so that the log has few pairs', async () => {
  const { clock, observe, condition } = setUp()
  for (let i = 0; i < 400; i++) {
    condition.raise()
    condition.clear()
    await clock.advance(1_500)
  }
  expect(observe.of('gateway.recovered').length).toBeLessThan(5)
  await clock.advance(200_000)
  condition.raise()
  condition.clear()
  await clock.advance(1_000)
  expect(observe.recorded.at(-1)).toMatchObject({ event: 'gateway.recovered' })
})

test('an end without a start is not reported, and a timer does not keep the process alive', () => {
  const { clock, observe, condition } = setUp()
  condition.clear()
  expect(observe.recorded).toEqual([])
  expect(clock.waiting).toBe(0)
})
