import { expect, test } from 'vitest'
import { createTenants } from '../../../gateway/consume/tenants.ts'
import { createManualClock } from '../../helpers/manual-clock.ts'

function setUp(weights: Readonly<Record<string, number>> = {}, limits: { accounts?: number; isKnown?: (tenant: string) => boolean } = {}) {
  const clock = createManualClock()
  const changes: string[] = []
  const tenants = createTenants({
    clock,
    weight: (tenant) => weights[tenant] ?? 1,
    ...limits,
    changed: (tenant, noisy) => changes.push(`${tenant} ${noisy ? 'noisy' : 'quiet'}`),
  })
  return { clock, changes, tenants }
}

test('who asks for far more than its share is named at once, and cleared when it is quiet again', async () => {
  const { clock, changes, tenants } = setUp()
  for (const tenant of ['bolt', 'cask', 'dune']) tenants.received(tenant, 5)
  tenants.received('acme', 500)
  expect(changes).toEqual(['acme noisy'])
  expect(tenants.isNoisy('acme')).toBe(true)
  for (let i = 0; i < 3; i++) {
    await clock.advance(10_000)
    for (const tenant of ['acme', 'bolt', 'cask', 'dune']) tenants.received(tenant, 5)
  }
  expect(changes).toEqual(['acme noisy', 'acme quiet'])
})

test('a tenant alone, equal tenants, and few messages are not noise', () => {
  const { changes, tenants } = setUp()
  tenants.received('acme', 10_000)
  expect(changes).toEqual([])
  tenants.received('bolt', 10_000)
  tenants.received('cask', 10_000)
  expect(changes.filter((change) => change.endsWith('quiet'))).toHaveLength(changes.filter((change) => change.endsWith('noisy')).length)
  const few = setUp()
  few.tenants.received('bolt', 1)
  few.tenants.received('acme', 25)
  expect(few.changes).toEqual([])
})

test('a share is relative to the weight', () => {
  const { changes, tenants } = setUp({ acme: 8 })
  tenants.received('bolt', 20)
  tenants.received('acme', 160)
  expect(changes).toEqual([])
})

test('a snapshot has share, counts and dwell', async () => {
  const { clock, tenants } = setUp()
  tenants.received('acme', 3)
  tenants.received('bolt', 1)
  tenants.running('acme', 1)
  for (let i = 1; i <= 100; i++) tenants.handled('acme', i * 10)
  const [acme, bolt] = tenants.snapshot((tenant) => (tenant === 'acme' ? 2 : 0))
  expect(acme).toMatchObject({ tenant: 'acme', received: 3, handled: 100, inFlight: 1, waiting: 2, share: 0.75, noisy: false })
  expect(acme!.dwellMs.p50).toBeGreaterThanOrEqual(495)
  expect(acme!.dwellMs.p50).toBeLessThanOrEqual(505)
  expect(acme!.dwellMs.p99).toBeGreaterThanOrEqual(980)
  expect(bolt).toMatchObject({ tenant: 'bolt', share: 0.25, dwellMs: { p50: 0, p95: 0, p99: 0 } })
  await clock.advance(700_000)
  tenants.received('cask', 1)
  expect(tenants.snapshot(() => 0).map(({ tenant }) => tenant)).toEqual(['cask', 'acme'])
})

test('100,000 invented names have 1,000 accounts and one they share; a known tenant has its own', () => {
  const { tenants } = setUp({}, { isKnown: (tenant) => tenant === 'acme' })
  for (let i = 0; i < 100_000; i++) tenants.received(tenants.accountOf(`n${i}`), 1)
  tenants.received(tenants.accountOf('acme'), 7)
  const stats = tenants.snapshot(() => 0)
  expect(stats).toHaveLength(1_002)
  expect(stats[0]).toMatchObject({ tenant: '(others)', received: 99_000, noisy: true })
  expect(stats.find(({ tenant }) => tenant === 'acme')).toMatchObject({ received: 7 })
})

test('an idle tenant gives its account to a new name', async () => {
  const { clock, tenants } = setUp({}, { accounts: 1 })
  const receive = (tenant: string) => {
    const account = tenants.accountOf(tenant)
    tenants.received(account, 1)
    return account
  }
  expect([receive('acme'), receive('bolt')]).toEqual(['acme', '(others)'])
  await clock.advance(700_000)
  expect([receive('bolt'), receive('acme')]).toEqual(['bolt', '(others)'])
})
