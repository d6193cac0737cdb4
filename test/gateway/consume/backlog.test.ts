import { expect, test } from 'vitest'
import { createBacklog } from '../../../gateway/consume/backlog.ts'
import { createManualClock } from '../../helpers/manual-clock.ts'

function setUp(startAt = Date.now()) {
  const clock = createManualClock(startAt)
  const state = { waiting: 0, inFlight: 0, handled: 0, buried: 0, sidelined: 0 }
  const backlog = createBacklog({
    queue: { name: 'telemetry', depth: async () => ({ waiting: state.waiting, inFlight: state.inFlight }) },
    stats: () => ({ ...state, oldestAt: startAt - 90_000 }),
    clock,
  })
  return { clock, state, backlog }
}

const noon = new Date(2026, 0, 5, 12, 0).getTime()

test('rates and the time of day at which the queue is level again', async () => {
  const { clock, state, backlog } = setUp(noon)
  state.waiting = 9_000
  backlog.start()
  await backlog.sample()
  for (let i = 0; i < 6; i++) {
    state.waiting -= 10
    state.handled += 60
    await clock.advance(5_000)
  }
  expect(backlog.report()).toEqual({
    queue: 'telemetry',
    waiting: 8_940,
    inFlight: 0,
    oldestMs: 120_000,
    arrivalsPerSecond: 10,
    servedPerSecond: 12,
    drainMs: 4_470_000,
    outlook: 'level again at 13:15',
  })
  backlog.stop()
  backlog.stop()
})

test('a day is named when it is not today', async () => {
  const { clock, state, backlog } = setUp(noon)
  state.waiting = 100_000
  await backlog.sample()
  await clock.advance(10_000)
  state.waiting -= 10
  await backlog.sample()
  expect(backlog.report().outlook).toBe('level again at 2026-01-06 15:46')
})

test('what does not drain is told as it is', async () => {
  const { clock, state, backlog } = setUp(noon)
  expect(backlog.report().outlook).toBe('not looked at yet')
  await backlog.sample()
  expect(backlog.report().outlook).toBe('level')
  state.waiting = 50
  await clock.advance(10_000)
  await backlog.sample()
  expect(backlog.report()).toMatchObject({ outlook: 'grows by 5/s', arrivalsPerSecond: 5, servedPerSecond: 0 })
  expect(backlog.report().drainMs).toBeUndefined()
})

test('only the last minute counts', async () => {
  const { clock, state, backlog } = setUp(noon)
  state.waiting = 1_000
  await backlog.sample()
  await clock.advance(600_000)
  await backlog.sample()
  state.waiting = 900
  await clock.advance(10_000)
  await backlog.sample()
  expect(backlog.report().drainMs).toBe(90_000)
})

test('seen from outside, what drains goes out and what grows comes in', async () => {
  const clock = createManualClock(noon)
  let waiting = 1_000
  const backlog = createBacklog({ queue: { name: 'telemetry', depth: async () => ({ waiting, inFlight: 0 }) }, clock })
  await backlog.sample()
  await clock.advance(10_000)
  waiting = 500
  await backlog.sample()
  expect(backlog.report()).toMatchObject({ arrivalsPerSecond: 0, servedPerSecond: 50, outlook: 'level again at 12:00' })
  await clock.advance(10_000)
  waiting = 1_200
  await backlog.sample()
  expect(backlog.report()).toMatchObject({ arrivalsPerSecond: 10, servedPerSecond: 0, outlook: 'grows by 10/s' })
})
