import { expect, test } from 'vitest'
import { events } from '../../../gateway/observe/events.ts'
import { createHealth } from '../../../gateway/observe/health.ts'
import { createLedger } from '../../../gateway/observe/ledger.ts'
import { createLog, type LogLevel } from '../../../gateway/observe/log.ts'
import { createObserve } from '../../../gateway/observe/observe.ts'
import { createRegistry } from '../../../gateway/observe/prometheus.ts'
import { createManualClock } from '../../helpers/manual-clock.ts'

const aLog = (level: LogLevel = 'info') => {
  const lines: Record<string, unknown>[] = []
  const clock = createManualClock()
  const log = createLog({ level, clock, destination: { write: (line) => lines.push(JSON.parse(line)) } })
  return { log, lines, clock }
}

test('an event becomes a counter with its labels, and a listener sees it', () => {
  const observe = createObserve()
  const seen: string[] = []
  const stop = observe.listen((event) => seen.push(event))
  observe.record('message.settled', { outcome: 'delivered' })
  observe.record('message.settled', { outcome: 'delivered' })
  observe.record('message.settled', { outcome: 'dead', count: 3 })
  stop()
  observe.record('message.settled', { outcome: 'dead' })
  expect(observe.metrics.total('message.settled')).toBe(6)
  expect(observe.metrics.total('message.settled', { outcome: 'dead' })).toBe(4)
  expect(seen).toHaveLength(3)
})

test('a log line carries the event, its level and its fields, and the time of the clock', () => {
  const { log, lines } = aLog()
  log.write('action.failed', { rule: 'telemetry', action: 'sqs', code: 'ACTION_FAILED' })
  expect(lines).toEqual([
    { level: 'warn', time: '2026-01-01T00:00:00.000Z', event: 'action.failed', rule: 'telemetry', action: 'sqs', code: 'ACTION_FAILED' },
  ])
})

test('events of level none and below the threshold are not written', () => {
  const { log, lines } = aLog()
  log.write('message.accepted', {})
  log.write('client.connected', {})
  expect(lines).toEqual([])
})

test.each(['warn', 'error', 'silent'] as const)(
  'that the gateway is ready is written at level %s too, and nothing else of its kind',
  (level) => {
    const { log, lines } = aLog(level)
    log.write('gateway.ready', { ports: { mqtt: 1883 } })
    log.write('rule.loaded', { count: 1 })
    expect(lines).toEqual([{ level: 'info', time: '2026-01-01T00:00:00.000Z', event: 'gateway.ready', ports: { mqtt: 1883 } }])
  },
)

test('a repeating warning is thinned out, and the next window says how many were left out', async () => {
  const { log, lines, clock } = aLog()
  for (let i = 0; i < 100; i++) log.write('message.refused', { code: 'SPOOL_FULL' })
  log.write('message.refused', { code: 'STOPPING' })
  expect(lines.map(({ code }) => code)).toEqual([...Array(5).fill('SPOOL_FULL'), 'STOPPING'])
  await clock.advance(10_000)
  log.write('message.refused', { code: 'SPOOL_FULL' })
  expect(lines.at(-1)).toMatchObject({ code: 'SPOOL_FULL', suppressed: 95 })
})

test('the ledger balances while every accepted message is somewhere, and says so when one is not', () => {
  const observe = createObserve()
  let queued = 1
  const ledger = createLedger(observe.metrics, () => ({ queued, pending: 0 }))
  observe.record('message.recovered', { count: 2 })
  for (let i = 0; i < 3; i++) observe.record('message.accepted', { transport: 'mqtt' })
  for (const outcome of ['delivered', 'delivered', 'unmatched', 'dead']) observe.record('message.settled', { outcome })
  observe.record('message.refused', { code: 'SPOOL_FULL' })
  observe.record('message.shed', { code: 'SPOOL_FULL', count: 4 })
  expect(ledger()).toEqual({
    accepted: 5,
    recovered: 2,
    delivered: 2,
    unmatched: 1,
    dead: 1,
    queued: 1,
    split: 0,
    lost: 0,
    pending: 0,
    refused: { SPOOL_FULL: 1 },
    shed: { SPOOL_FULL: 4 },
    balanced: true,
  })
  queued = 0
  expect(ledger().balanced).toBe(false)
  // Part of it waits in the overflow, and the rest has been delivered: one message, two places.
  queued = 2
  observe.record('message.parked', { rule: 'telemetry' })
  expect(ledger()).toMatchObject({ accepted: 5, split: 1, balanced: true })
  // All of it waits there.
  queued = 1
  observe.record('message.settled', { outcome: 'moved' })
  expect(ledger()).toMatchObject({ accepted: 5, split: 0, balanced: true })
})

test('a lost message is on the ledger: those lost before this run count as accepted, too', () => {
  const observe = createObserve()
  let held = { queued: 2, pending: 0, lost: 3, before: 3 }
  const ledger = createLedger(observe.metrics, () => held)
  observe.record('message.accepted', { transport: 'mqtt', count: 2 })
  expect(ledger()).toMatchObject({ accepted: 5, queued: 2, lost: 3, balanced: true })
  held = { queued: 1, pending: 0, lost: 4, before: 3 }
  expect(ledger()).toMatchObject({ accepted: 5, queued: 1, lost: 4, balanced: true })
  held = { queued: 1, pending: 0, lost: 3, before: 3 }
  expect(ledger().balanced).toBe(false)
})

test('health lists what is away until it is back', () => {
  const observe = createObserve()
  const health = createHealth(observe)
  observe.record('gateway.degraded', { target: 'telemetry', code: 'ACTION_FAILED' })
  expect(health()).toEqual({ status: 'degraded', reasons: ['telemetry'] })
  observe.record('gateway.recovered', { target: 'telemetry' })
  expect(health()).toEqual({ status: 'ok', reasons: [] })
})

test('Prometheus sees each counter once, with labels', async () => {
  const observe = createObserve()
  const registry = createRegistry(
    observe.metrics,
    createLedger(observe.metrics, () => ({ queued: 0, pending: 0 })),
  )
  observe.record('message.refused', { code: 'SPOOL_FULL' })
  expect(await registry.metrics()).toContain('weir_refused_total{code="SPOOL_FULL"} 1')
  expect(await registry.metrics()).toContain('weir_refused_total{code="SPOOL_FULL"} 1')
  expect(await registry.metrics()).toContain('weir_ledger_balanced 1')
})

test('labels are bounded sets: no ids, topics or clients', () => {
  const unbounded = new Set(['messageId', 'topic', 'clientId', 'group', 'detail'])
  const offenders = Object.entries(events).filter(([, kind]) => 'labels' in kind && kind.labels.some((label) => unbounded.has(label)))
  expect(offenders).toEqual([])
})

test('health names at most 1,000 targets, however many a template invents', () => {
  const observe = createObserve()
  const health = createHealth(observe)
  for (let i = 0; i < 5_000; i++) observe.record('gateway.degraded', { target: `telemetry-${i}`, code: 'ACTION_TARGET_MISSING' })
  expect(health().reasons).toHaveLength(1_000)
  for (let i = 0; i < 5_000; i++) observe.record('gateway.recovered', { target: `telemetry-${i}` })
  expect(health().status).toBe('ok')
})

test('the log thins out at most 1,000 kinds of warnings at a time, and forgets the oldest', () => {
  const { log, lines } = aLog()
  const warn = (queue: string) => log.write('consumer.unreachable', { queue, code: 'QUEUE_UNREACHABLE' })
  for (let i = 0; i < 100; i++) warn('first')
  expect(lines).toHaveLength(5)
  for (let i = 0; i < 1_000; i++) warn(`telemetry-${i}`)
  warn('first')
  expect(lines).toHaveLength(5 + 1_000 + 1)
})
