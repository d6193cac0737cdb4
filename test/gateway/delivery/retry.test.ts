import { expect, test } from 'vitest'
import { type BoundAction, fromPromise } from '../../../gateway/actions/action.ts'
import { withRetries } from '../../../gateway/delivery/retry.ts'
import { type ErrorCode, GatewayError } from '../../../gateway/errors.ts'
import { createDelivery, createDeps, delivered } from '../../helpers/delivery.ts'
import { settled } from '../../helpers/manual-clock.ts'

/** A target whose answers are set by the test: a code to fail with, undefined to accept. */
function setUp(options: Partial<BoundAction> = {}) {
  const deps = createDeps()
  const state = { answer: (_key: string): ErrorCode | undefined => undefined }
  const attempts: string[] = []
  const sink = withRetries(
    {
      action: 'sqs',
      deliver: fromPromise(async ({ key }) => {
        attempts.push(key)
        const code = state.answer(key)
        if (code) throw new GatewayError(code, 'as the test wants it')
      }),
      ...options,
    },
    deps,
  )
  const stopping = new AbortController()
  const fates: string[] = []
  const deliver = (key: string) =>
    delivered(sink, createDelivery({ key }), stopping.signal).then(
      () => fates.push(`${key} accepted`),
      (error) => fates.push(`${key} ${error.code}`),
    )
  return { ...deps, state, attempts, fates, deliver, stopping }
}

test('what may pass is tried again with growing pauses until it is accepted', async () => {
  const { state, attempts, fates, deliver, clock, observe } = setUp()
  let failures = 2
  state.answer = () => (failures-- > 0 ? 'ACTION_FAILED' : undefined)
  deliver('a')
  await settled()
  expect(attempts).toHaveLength(1)
  await clock.advance(49)
  expect(attempts).toHaveLength(1)
  await clock.advance(1)
  expect(attempts).toHaveLength(2)
  await clock.advance(100)
  expect(fates).toEqual(['a accepted'])
  expect(observe.of('action.retried')).toHaveLength(2)
  expect(observe.of('action.retried')[0]).toMatchObject({ rule: 'telemetry', action: 'sqs', code: 'ACTION_FAILED' })
})

test('what trying again cannot help is given up at once', async () => {
  const { state, attempts, fates, deliver } = setUp()
  state.answer = () => 'ACTION_REFUSED'
  deliver('a')
  await settled()
  expect(attempts).toEqual(['a'])
  expect(fates).toEqual(['a ACTION_REFUSED'])
})

test('a target away for hours costs a probe now and then, is told once, and gets everything when it is back', async () => {
  const { state, attempts, fates, deliver, clock, observe } = setUp({ targetOf: () => 'telemetry' })
  state.answer = () => 'ACTION_TARGET_MISSING'
  const keys = Array.from({ length: 50 }, (_, i) => `k${i}`)
  keys.forEach(deliver)
  await clock.advance(60_000)
  attempts.length = 0
  await clock.advance(3_600_000)
  expect(attempts.length).toBeLessThan(3_600 / 2)
  expect(attempts.length).toBeGreaterThan(100)
  expect(observe.of('gateway.degraded')).toEqual([{ rule: 'telemetry', action: 'sqs', code: 'ACTION_TARGET_MISSING', target: 'telemetry' }])
  expect(fates).toEqual([])
  state.answer = () => undefined
  await clock.advance(20_000)
  expect(fates.length).toBe(50)
  expect(observe.of('gateway.recovered')).toHaveLength(1)
})

test('one target being away does not hold up another', async () => {
  const { state, fates, deliver, clock } = setUp({ targetOf: ({ key }) => key.charAt(0) })
  state.answer = (key) => (key.startsWith('a') ? 'ACTION_FAILED' : undefined)
  for (const key of ['a1', 'a2', 'a3', 'a4']) deliver(key)
  await clock.advance(1_000)
  deliver('b1')
  await settled()
  expect(fates).toEqual(['b1 accepted'])
})

test('an aborted signal ends every wait at once, also behind an open breaker', async () => {
  const { state, fates, deliver, clock, stopping } = setUp()
  state.answer = () => 'ACTION_FAILED'
  for (const key of ['a', 'b', 'c', 'd', 'e']) deliver(key)
  await clock.advance(100)
  stopping.abort()
  await settled()
  expect(fates).toHaveLength(5)
  expect(new Set(fates.map((fate) => fate.slice(2)))).toEqual(new Set(['ACTION_FAILED']))
  expect(clock.waiting).toBe(0)
})

test('when the prober goes, another takes its place', async () => {
  const deps = createDeps()
  let back = false
  const sink = withRetries(
    {
      action: 'sqs',
      deliver: fromPromise(async () => {
        if (!back) throw new GatewayError('ACTION_FAILED', 'away')
      }),
    },
    deps,
  )
  const signals = Array.from({ length: 5 }, () => new AbortController())
  const fates: string[] = []
  for (const [i, { signal }] of signals.entries()) {
    delivered(sink, createDelivery(), signal).then(
      () => fates.push(`${i} accepted`),
      () => fates.push(`${i} gone`),
    )
  }
  await deps.clock.advance(10)
  for (const index of [0, 1, 2, 3]) signals[index]?.abort()
  await settled()
  back = true
  await deps.clock.advance(60_000)
  expect(fates.sort()).toEqual(['0 gone', '1 gone', '2 gone', '3 gone', '4 accepted'])
})

test('a probe with a body that nobody would take says nothing of the target, and the next one probes at once', async () => {
  const { state, fates, deliver, clock } = setUp()
  state.answer = () => 'ACTION_FAILED'
  for (const key of ['a', 'b', 'c']) deliver(key)
  await clock.advance(60_000)
  for (let i = 0; i < 300; i++) deliver(`bad${i}`)
  deliver('good')
  state.answer = (key) => (key === 'good' ? undefined : 'BODY_NOT_TEXT')
  await clock.advance(5_000)
  expect(fates).toHaveLength(304)
  expect(fates).toContain('good accepted')
})

test('deliveries that shared a call fail once, whatever their number', async () => {
  const deps = createDeps()
  let fail = true
  const cause = new GatewayError('ACTION_FAILED', 'of one call')
  const deliver: BoundAction['deliver'] = (_delivery, _signal, done) => done(fail ? cause : 'accepted')
  const sink = withRetries({ action: 'sqs', deliver }, deps)
  const { signal } = new AbortController()
  const all = Array.from({ length: 10 }, () => delivered(sink, createDelivery(), signal))
  fail = false
  await settled()
  expect(sink.isUnavailable?.()).toBe(false)
  await deps.clock.advance(1_000)
  await Promise.all(all)
  expect(deps.observe.of('gateway.degraded')).toEqual([])
})

test('retries stay a share of the traffic: with the budget spent they wait for it to fill', async () => {
  const { state, attempts, deliver, clock } = setUp({ targetOf: ({ key }) => key })
  state.answer = (key) => (key.endsWith('!') && !attempts.slice(0, -1).includes(key) ? 'ACTION_FAILED' : undefined)
  for (let i = 0; i < 300; i++) deliver(`${i}!`)
  await settled()
  await clock.advance(1_000)
  const retried = attempts.length - 300
  expect(retried).toBeGreaterThanOrEqual(100)
  expect(retried).toBeLessThan(140)
  await clock.advance(600_000)
  expect(attempts.length).toBe(600)
})
