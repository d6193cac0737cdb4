import { expect, test } from 'vitest'
import { agendaOf, agendaOfEach, agendaOfOnce, followAgendas } from '../../device-sim/agenda.ts'
import { createPlan } from '../../device-sim/schedule.ts'
import { createManualClock, settled } from '../helpers/manual-clock.ts'

const every = (ms: number, endMs?: number) => createPlan([{ interval: { kind: 'fixed', every: ms }, random: () => 0 }], { endMs })

function follow(build: (log: (what: string, at: number) => void) => Parameters<typeof followAgendas>[0], endMs?: number) {
  const clock = createManualClock()
  const stop = new AbortController()
  const done: string[] = []
  const ended = { at: -1 }
  const run = followAgendas(
    build((what, at) => done.push(`${what}@${at}`)),
    { clock, signal: stop.signal, since: clock.monotonic(), endMs },
  )
  void run.then(() => {
    ended.at = clock.monotonic()
  })
  return { clock, stop, done, ended }
}

test('things of several agendas are done in the order of their times', async () => {
  const { clock, done } = follow((log) => [
    agendaOf(every(1_000, 2_500), (_, at) => log('reading', at)),
    agendaOfEach([{ interval: { kind: 'fixed', every: 700 }, random: () => 0.5 }], 2_500, (_, at) => log('fault', at)),
    agendaOfOnce([{ at: 1_500 }], ({ at }) => log('herd', at)),
  ])
  await clock.advance(10_000)
  expect(done).toEqual(['reading@0', 'fault@350', 'reading@1000', 'fault@1050', 'herd@1500', 'fault@1750', 'reading@2000'])
})

test('it ends at its end, whatever others still had in mind', async () => {
  const { clock, ended } = follow(
    (log) => [agendaOf(every(1_000, 2_000), (_, at) => log('reading', at)), agendaOfOnce([{ at: 40_000 }], ({ at }) => log('herd', at))],
    2_000,
  )
  await clock.advance(1_999)
  expect(ended.at).toBe(-1)
  await clock.advance(1)
  expect(ended.at).toBe(2_000)
})

test('an interval of days is waited for in pieces', async () => {
  const day = 86_400_000
  const { clock, done } = follow((log) => [agendaOf(every(2 * day, 3 * day), (_, at) => log('reading', at / day))])
  await clock.advance(2 * day)
  expect(done).toEqual(['reading@0', 'reading@2'])
})

test('a fast plan is followed reading by reading', async () => {
  const { clock, done } = follow((log) => [agendaOf(every(1, 800), (_, at) => log('reading', at))])
  await clock.advance(800)
  expect(done).toHaveLength(800)
})

test('a stop is at once', async () => {
  const { clock, stop, done, ended } = follow((log) => [agendaOf(every(1_000), (_, at) => log('reading', at))])
  await clock.advance(1_500)
  stop.abort()
  await settled()
  expect([done.length, ended.at]).toEqual([2, 1_500])
})
