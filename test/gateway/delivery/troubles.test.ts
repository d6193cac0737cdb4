import { expect, test } from 'vitest'
import { Troubles } from '../../../gateway/delivery/troubles.ts'
import { GatewayError } from '../../../gateway/errors.ts'
import { createDelivery, createDeps } from '../../helpers/delivery.ts'

const missing = () => new GatewayError('ACTION_TARGET_MISSING', 'as the test wants it')
const unavailable = () => new GatewayError('ACTION_FAILED', 'as the test wants it')

function setUp() {
  const deps = createDeps({ maxHeld: 10 })
  const troubles = new Troubles(deps, { action: 'sqs', pattern: 'telemetry-${topic(3)}' })
  const fail = (target: string, error: GatewayError) => {
    troubles.entered(target)
    const waits = troubles.failed(target, createDelivery(), error, false)
    if (!waits) troubles.left(target)
    return waits
  }
  return { ...deps, troubles, fail }
}

test('lets as many deliveries wait as targets may hold, and remembers a bounded number of names', () => {
  const { troubles, fail } = setUp()
  let waiting = 0
  const error = missing()
  for (let i = 0; i < 20_000; i++) if (fail(`invented-${i}`, error)) waiting++
  expect(waiting).toBe(10)
  expect(troubles.size).toBeLessThanOrEqual(1_000)
})

test('forgets a target for which nothing waits', async () => {
  const { troubles, clock } = setUp()
  const target = 'invented'
  troubles.entered(target)
  troubles.failed(target, createDelivery(), missing(), false)
  troubles.left(target)
  await clock.advance(61_000)
  troubles.entered('other')
  troubles.failed('other', createDelivery(), missing(), false)
  expect(troubles.get(target)).toBeUndefined()
})

test('reports an endpoint that does not answer once, by the template and not by its names', () => {
  const { observe, fail, troubles } = setUp()
  for (let i = 0; i < 1_000; i++) expect(fail(`tenant-${i}`, unavailable())).toBe(true)
  expect(troubles.isUnavailable()).toBe(true)
  expect(observe.of('gateway.degraded')).toEqual([
    { rule: 'telemetry', action: 'sqs', code: 'ACTION_FAILED', target: 'telemetry-${topic(3)}' },
  ])
})

test('does not report names that do not exist as a state of the gateway', () => {
  const { observe, fail } = setUp()
  for (let i = 0; i < 1_000; i++) fail(`invented-${i}`, missing())
  expect(observe.of('gateway.degraded')).toEqual([])
})
