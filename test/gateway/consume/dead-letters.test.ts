import { expect, test } from 'vitest'
import { createDeadLetters, type DeadLetter, toCauses } from '../../../gateway/consume/dead-letters.ts'
import { parseSelection } from '../../../gateway/consume/selection.ts'
import { createManualClock, type ManualClock, settled } from '../../helpers/manual-clock.ts'
import { createMemoryQueue } from '../../helpers/memory-queue.ts'
import { createSpyObserve } from '../../helpers/spy-observe.ts'

const { signal } = new AbortController()
const hour = 3_600_000

function setUp() {
  const clock = createManualClock()
  const observe = createSpyObserve()
  const queue = createMemoryQueue({ clock, name: 'telemetry-dlq' })
  const source = createMemoryQueue({ clock, name: 'telemetry' })
  const letters = createDeadLetters({ queue, clock, observe })
  const letter = (key: string, attributes: Record<string, string>, group = 'acme') => ({
    id: key,
    key,
    group,
    attributes: { source: 'telemetry', ...attributes },
  })
  queue.put([
    letter('a1', { reason: 'HANDLER_FAILED: failed 5 times', sentAt: String(clock.now() - 2 * hour) }),
    letter('a2', { reason: 'HANDLER_FAILED: failed 7 times' }),
    letter('b1', { reason: 'HANDLER_REFUSED: unknown unit', tries: '3' }, 'bolt'),
    letter('b2', { reason: 'HANDLER_REFUSED: unknown unit', redriven: '1' }, 'bolt'),
    { id: 'c1', key: 'c1', group: 'cask' },
  ])
  return { clock, observe, queue, source, letters }
}

/** Runs while the clock moves: reading through ends with a wait for an empty answer. */
async function moving<T>(clock: ManualClock, work: Promise<T>): Promise<T> {
  let over = false
  const done = work.finally(() => {
    over = true
  })
  done.catch(() => undefined) // awaited below
  while (!over) await clock.advance(100)
  return done
}

test('a list groups by cause, whatever numbers a reason holds, and puts everything back', async () => {
  const { clock, queue, letters } = setUp()
  const causes = toCauses(await moving(clock, letters.list(signal)))
  expect(causes.map(({ cause, count, tenants }) => ({ cause, count, tenants }))).toEqual([
    { cause: 'HANDLER_FAILED: failed # times', count: 2, tenants: { acme: 2 } },
    { cause: 'HANDLER_REFUSED: unknown unit', count: 2, tenants: { bolt: 2 } },
    { cause: 'MAX_RECEIVES: received too often without an answer', count: 1, tenants: { cask: 1 } },
  ])
  expect(await queue.depth()).toEqual({ waiting: 5, inFlight: 0 })
})

test('a stop ends a list, and every letter is visible again', async () => {
  const { clock, queue, letters } = setUp()
  const stop = new AbortController()
  const listed = letters.list(stop.signal)
  stop.abort(new Error('stopped'))
  await expect(moving(clock, listed)).rejects.toThrow('stopped')
  expect(await queue.depth()).toEqual({ waiting: 5, inFlight: 0 })
})

test('a replay that is stopped reports what it sent', async () => {
  const { clock, queue, source, letters } = setUp()
  const stop = new AbortController()
  const options = { where: () => true, target: () => source, dryRun: false, perSecond: 1, force: true }
  const replayed = letters.replay(options, stop.signal)
  await settled()
  await clock.advance(0)
  stop.abort(new Error('stopped'))
  expect(await moving(clock, replayed)).toMatchObject({ replayed: 1, stopped: true })
  expect([source.size, queue.size]).toEqual([1, 4])
  expect(await queue.depth()).toEqual({ waiting: 4, inFlight: 0 })
})

test('a replay keeps group and key, starts the tries anew, and marks the letter', async () => {
  const { clock, queue, source, letters, observe } = setUp()
  const replay = (where: (letter: DeadLetter) => boolean, more: object = {}) =>
    moving(clock, letters.replay({ where, target: () => source, dryRun: false, perSecond: Infinity, force: false, ...more }, signal))
  expect(await replay(({ tenant }) => tenant === 'bolt', { dryRun: true })).toMatchObject({
    seen: 5,
    matched: 2,
    refused: 1,
    replayed: 0,
    ids: ['b1'],
  })
  expect(source.size).toBe(0)
  await clock.advance(1_000)
  expect(await replay(({ tenant }) => tenant === 'bolt')).toMatchObject({ matched: 2, refused: 1, replayed: 1 })
  const [item] = await source.receive(10, 0, signal)
  expect(item).toMatchObject({ key: 'b1', group: 'bolt', receives: 1, attributes: { redriven: '1' } })
  expect(Object.keys(item!.attributes)).toEqual(['redriven'])
  expect(queue.keys()).toEqual(['a1', 'a2', 'b2', 'c1'])
  await clock.advance(1_000)
  expect(await replay(({ key }) => key === 'b2', { force: true })).toMatchObject({ refused: 0, replayed: 1 })
  const [again] = await source.receive(10, 0, signal)
  expect(again!.attributes.redriven).toBe('2')
  expect(observe.of('deadletter.replayed')).toMatchObject([{ count: 1 }, { count: 1 }])
})

test('a replay keeps its rate', async () => {
  const { clock, source, letters } = setUp()
  const from = clock.now()
  await moving(clock, letters.replay({ where: () => true, target: () => source, dryRun: false, perSecond: 0.5, force: true }, signal))
  expect(clock.now() - from).toBeGreaterThanOrEqual(8_000)
  expect(source.size).toBe(5)
})

test('who has no known home stays', async () => {
  const { clock, queue, letters } = setUp()
  const report = await moving(
    clock,
    letters.replay({ where: () => true, target: () => undefined, dryRun: false, perSecond: Infinity, force: true }, signal),
  )
  expect(report).toMatchObject({ matched: 5, homeless: 5, replayed: 0 })
  expect(queue.size).toBe(5)
})

test('a letter is found by the beginning of its id or key', async () => {
  const { clock, letters } = setUp()
  expect(await moving(clock, letters.show('b', signal))).toMatchObject({ key: 'b1' })
  await clock.advance(1_000)
  expect(await moving(clock, letters.show('nobody', signal))).toBeUndefined()
})

test.each([
  [['tenant=acme'], ['a1', 'a2']],
  [['tenant!=acme'], ['b1', 'b2', 'c1']],
  [['cause=HANDLER_REFUSED'], ['b1', 'b2']],
  [['cause=HANDLER_REFUSED: unknown unit'], ['b1', 'b2']],
  [['cause~unit'], ['b1', 'b2']],
  [['cause=HANDLER_FAILED: failed # times'], ['a1', 'a2']],
  [['cause!=HANDLER_FAILED: failed # times, tenant!=bolt'], ['c1']],
  [['cause~no, none'], []],
  [['age>1h'], ['a1']],
  [['tenant=acme and age<1h'], ['a2']],
  [['tenant=bolt', 'key=b2'], ['b2']],
  [['code=MAX_RECEIVES'], ['c1']],
  [[], ['a1', 'a2', 'b1', 'b2', 'c1']],
])('selection %j', async (conditions, keys) => {
  const { clock, letters } = setUp()
  const now = clock.now()
  const where = parseSelection(conditions)
  if ('problem' in where) throw new Error(where.problem)
  const all = await moving(clock, letters.list(signal))
  expect(all.filter((letter) => where(letter, now)).map(({ key }) => key)).toEqual(keys)
})

test.each(['tenant', 'age>soon', 'age=1h', 'shoe=42', 'tenant>acme', '', 'toString=1'])('what cannot be read is told: %j', (text) => {
  expect(parseSelection([text])).toHaveProperty('problem')
})
