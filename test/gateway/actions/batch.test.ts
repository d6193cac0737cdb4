import { describe, expect, test } from 'vitest'
import { toPromise } from '../../../gateway/actions/action.ts'
import { type BatchLimits, createBatcher } from '../../../gateway/actions/batch.ts'
import { GatewayError } from '../../../gateway/errors.ts'
import { createManualClock, settled } from '../../helpers/manual-clock.ts'

const signal = new AbortController().signal

function setUp(limits: Partial<BatchLimits> = {}) {
  const clock = createManualClock()
  const calls: {
    readonly entries: readonly string[]
    answer(outcomes?: readonly (GatewayError | undefined)[]): void
    fail(error: Error): void
  }[] = []
  const batcher = createBatcher<string>({
    maxEntries: 3,
    maxBytes: 100,
    maxCalls: 2,
    lingerMs: 10,
    eager: true,
    ...limits,
    clock,
    send: (entries) =>
      new Promise((resolve, reject) => {
        calls.push({ entries, answer: (outcomes = []) => resolve(outcomes), fail: reject })
      }),
  })
  const fates: string[] = []
  const add = (entry: string, bytes = 1, by = signal) =>
    toPromise((done) => batcher.add(entry, bytes, by, done)).then(
      () => fates.push(`${entry} accepted`),
      (error) => fates.push(`${entry} ${error.code}`),
    )
  return { clock, calls, batcher, add, fates, sent: () => calls.map(({ entries }) => entries.join('')) }
}

describe('when a call leaves', () => {
  test('a lonely entry leaves at the end of the turn, without waiting for company', async () => {
    const { add, sent, clock } = setUp()
    add('a')
    expect(sent()).toEqual([])
    await settled()
    expect(sent()).toEqual(['a'])
    expect(clock.waiting).toBe(0)
  })

  test('a full call leaves at once', () => {
    const { add, sent } = setUp()
    for (const entry of 'abcdefg') add(entry)
    expect(sent()).toEqual(['abc', 'def'])
  })

  test('while a call is in flight, entries gather until it ends', async () => {
    const { add, sent, calls } = setUp()
    add('a')
    await settled()
    add('b')
    add('c')
    await settled()
    expect(sent()).toEqual(['a'])
    calls[0]?.answer()
    await settled()
    expect(sent()).toEqual(['a', 'bc'])
  })

  test('after company a partial call lingers: until it is full, or for as long as the oldest may wait', async () => {
    const { add, sent, calls, clock } = setUp()
    const inTurn = async (entry: string) => {
      add(entry)
      await settled()
      await clock.advance(2)
    }
    await inTurn('a')
    await inTurn('b') // in company of the call with a
    calls[0]?.answer()
    await settled()
    calls[1]?.answer()
    expect(sent()).toEqual(['a', 'b'])
    for (const entry of 'cde') await inTurn(entry)
    calls[2]?.answer()
    expect(sent()).toEqual(['a', 'b', 'cde'])
    for (const entry of 'fg') await inTurn(entry)
    await clock.advance(5)
    expect(sent()).toEqual(['a', 'b', 'cde'])
    await clock.advance(1)
    expect(sent()).toEqual(['a', 'b', 'cde', 'fg'])
  })

  test('and without company no more, after one wait in vain', async () => {
    const { add, sent, calls, clock } = setUp()
    for (const entry of 'ab') {
      add(entry)
      await settled()
    }
    for (const index of [0, 1]) {
      calls[index]?.answer()
      await settled()
    }
    const waits = { c: 10, d: 0, e: 0 }
    for (const [entry, waitMs] of Object.entries(waits)) {
      add(entry)
      await settled()
      expect(sent().includes(entry)).toBe(waitMs === 0)
      await clock.advance(waitMs)
      expect(sent().at(-1)).toBe(entry)
      calls.at(-1)?.answer()
      await settled()
    }
  })

  test('the wait is counted from the oldest that waits, not from one that has gone', async () => {
    const { add, sent, clock } = setUp({ eager: false })
    add('a')
    await settled()
    await clock.advance(8)
    for (const entry of 'bc') add(entry)
    add('d')
    await settled()
    await clock.advance(9)
    expect(sent()).toEqual(['abc'])
    await clock.advance(1)
    expect(sent()).toEqual(['abc', 'd'])
  })

  test('a sender that waits for every answer never waits for company', async () => {
    const { add, sent, calls, clock } = setUp()
    for (const [turn, entry] of [...'abcde'].entries()) {
      add(entry)
      await settled()
      expect(sent()).toHaveLength(turn + 1)
      calls[turn]?.answer()
      await settled()
    }
    expect(clock.waiting).toBe(0)
  })

  test('a slow call holds nobody up for longer than the linger', async () => {
    const { add, sent, clock } = setUp()
    add('a')
    await settled()
    add('b')
    await settled()
    await clock.advance(9)
    expect(sent()).toEqual(['a'])
    await clock.advance(1)
    expect(sent()).toEqual(['a', 'b'])
  })

  test('one that is not eager waits for company even when nothing is in flight', async () => {
    const { add, sent, clock } = setUp({ eager: false })
    add('a')
    await settled()
    await clock.advance(9)
    add('b')
    expect(sent()).toEqual([])
    await clock.advance(1)
    expect(sent()).toEqual(['ab'])
  })

  test('no more calls than allowed are in flight, however long one takes', async () => {
    const { add, sent, calls, clock } = setUp()
    for (const entry of 'abcdefghi') add(entry)
    await clock.advance(1_000)
    expect(sent()).toEqual(['abc', 'def'])
    calls[1]?.answer()
    await settled()
    expect(sent()).toEqual(['abc', 'def', 'ghi'])
  })

  test('a call stays under its bytes, and one that fills a call travels alone', async () => {
    const { add, sent, calls } = setUp({ maxCalls: 1 })
    add('a', 60)
    add('b', 50)
    add('c', 50)
    add('d', 100)
    for (let i = 0; i < 3; i++) {
      await settled()
      calls[i]?.answer()
    }
    expect(sent()).toEqual(['a', 'bc', 'd'])
  })
})

describe('what the callers learn', () => {
  test('each its own fate', async () => {
    const { add, calls, fates } = setUp()
    for (const entry of 'abc') add(entry)
    calls[0]?.answer([undefined, new GatewayError('ACTION_REFUSED', 'no')])
    await settled()
    expect(fates).toEqual(['a accepted', 'b ACTION_REFUSED', 'c accepted'])
  })

  test('all the same when the call failed as a whole and may be repeated', async () => {
    const { add, calls, fates } = setUp()
    for (const entry of 'abc') add(entry)
    calls[0]?.fail(new GatewayError('ACTION_FAILED', 'away'))
    await settled()
    expect(fates).toEqual(['a ACTION_FAILED', 'b ACTION_FAILED', 'c ACTION_FAILED'])
    expect(calls).toHaveLength(1)
  })

  test('an entry whose caller has gone is not sent', async () => {
    const { add, calls, sent, fates } = setUp({ maxCalls: 1 })
    const gone = new AbortController()
    for (const entry of 'abc') add(entry)
    add('d', 1, gone.signal)
    add('e')
    gone.abort()
    calls[0]?.answer()
    await settled()
    expect(sent()).toEqual(['abc', 'e'])
    expect(fates).toContain('d ACTION_FAILED')
  })

  test('a caller that goes while its call is in flight is answered at once, and the others by the call', async () => {
    const { add, calls, fates } = setUp()
    const gone = new AbortController()
    add('a', 1, gone.signal)
    add('b')
    add('c', 1, gone.signal)
    gone.abort()
    await settled()
    expect(fates).toEqual(['a ACTION_FAILED', 'c ACTION_FAILED'])
    calls[0]?.answer()
    await settled()
    expect(fates.at(-1)).toBe('b accepted')
  })
})

test('drained waits for everything that was added', async () => {
  const { add, batcher, calls, fates } = setUp({ maxCalls: 1 })
  for (const entry of 'abcd') add(entry)
  const drained = batcher.drained().then(() => fates.push('drained'))
  for (const index of [0, 1]) {
    calls[index]?.answer()
    await settled()
  }
  await drained
  expect(fates).toEqual(['a accepted', 'b accepted', 'c accepted', 'd accepted', 'drained'])
  expect(batcher.isIdle()).toBe(true)
  await batcher.drained()
})

test('a target that fails gets fewer calls at once, and more again with every one that succeeds', async () => {
  const { batcher, calls } = setUp({ maxEntries: 1, maxCalls: 4 })
  const add = (count: number) => {
    for (let i = 0; i < count; i++) batcher.add('x', 1, signal, () => undefined)
  }
  add(20)
  await settled()
  expect(calls).toHaveLength(4)
  for (const call of calls.slice(0, 3)) call.fail(new GatewayError('ACTION_FAILED', 'away'))
  await settled()
  expect(calls).toHaveLength(4) // one is still in flight, and one is all there may be
  calls[3]!.answer()
  await settled()
  expect(calls).toHaveLength(6)
  calls[4]!.answer()
  calls[5]!.answer()
  await settled()
  expect(calls).toHaveLength(10)
})
