// The account at the end of `weir up`: what waits where nobody takes it from, and when a run was not well.
import { describe, expect, test } from 'vitest'
import { account, accountText, isSettled, isWell, type Layout, unreadQueues } from '../../bin/account.ts'
import type { FleetReport } from '../../device-sim/fleet.ts'
import type { GatewayConfig, Resources } from '../../gateway/config.ts'
import type { Gateway } from '../../gateway/gateway.ts'

const ledger = { accepted: 3, recovered: 0, delivered: 3, unmatched: 0, dead: 0, queued: 0, lost: 0, split: 0, pending: 0, balanced: true }
const resources = { queues: { telemetry: {}, replies: {}, letters: {}, aside: {} }, topics: {} } as unknown as Resources
const consumers = [
  { queue: 'telemetry', sideline: { queue: 'aside' }, deadLetterQueue: 'letters' },
] as unknown as GatewayConfig['consumers']
const fleet = { devices: 1, sent: 3, acked: 3, failed: 0, dropped: 0, seed: 1 } as FleetReport

/** Three bodies went to queues. */
const gatewayWith = (handled: number, waiting: Readonly<Record<string, number>>) =>
  ({
    ledger: () => ({ ...ledger, refused: {}, shed: {} }),
    observe: { metrics: { total: () => 0, series: () => [{ labels: { rule: 'telemetry', action: 'sqs' }, value: 3 }] } },
    consumers: [{ queue: 'telemetry', stats: () => ({ handled, buried: 0 }) }],
    queues: async () => Object.keys(resources.queues).map((queue) => ({ queue, waiting: waiting[queue] ?? 0, inFlight: 0 })),
  }) as unknown as Gateway

test('a queue without a consumer is not waited for, and shown', async () => {
  const unread = await unreadQueues(gatewayWith(0, { replies: 5 }), resources, consumers)
  expect(unread).toEqual({ replies: 5 })
  const result = await account(gatewayWith(2, { replies: 6 }), fleet, { resources, unread })
  expect({ settled: isSettled(result), well: isWell(result), waiting: result.waiting }).toEqual({
    settled: true,
    well: true,
    waiting: { replies: 1 },
  })
  expect(accountText(result, false)).toContain('3 bodies delivered · 2 consumed (telemetry 2) · waiting 1 (replies) · 0 dead letters')
})

test('what a consumer has still to take is waited for', async () => {
  const result = await account(gatewayWith(1, { telemetry: 1, replies: 1 }), fleet, { resources, unread: { replies: 0 } })
  expect({ settled: isSettled(result), waiting: result.waiting, lost: result.lost }).toEqual({
    settled: false,
    waiting: { replies: 1 },
    lost: 0,
  })
})

describe('a run in which', () => {
  const done = async (figures: Partial<FleetReport>) => {
    const result = await account(gatewayWith(3, {}), fleet, { resources, unread: {} })
    return { ...result, ledger: { ...result.ledger, accepted: 0 }, fleet: { ...result.fleet, ...figures } }
  }
  test.each([
    ['every reading failed', { acked: 0, failed: 3 }, false],
    ['no device stayed connected', { sent: 0, acked: 0, dropped: 14 }, false],
    ['one of many was acknowledged', { acked: 1, failed: 2 }, true],
    ['readings ask for no acknowledgement', { acked: 0 }, true],
    ['nothing was due', { sent: 0, acked: 0 }, true],
  ])('%s', async (_, figures, well) => {
    const result = await done(figures)
    expect(isWell(result)).toBe(well)
    expect(accountText(result, false).includes('not one reading was acknowledged')).toBe(!well)
  })
})

test('a buried message counts once, as consumed, and does not hide a lost one', async () => {
  const gateway = gatewayWith(1, { letters: 1 })
  const buried = { ...gateway, consumers: [{ queue: 'telemetry', stats: () => ({ handled: 1, buried: 1 }) }] } as unknown as Gateway
  const queues = { ...resources.queues, telemetry: { deadLetterQueue: 'letters' } }
  const layout = { resources: { ...resources, queues }, unread: {} } as unknown as Layout
  expect(await account(buried, fleet, layout)).toMatchObject({ consumed: 2, buried: 1, lost: 1 })
  expect(await account(gatewayWith(2, { letters: 1 }), fleet, layout), 'moved by SQS').toMatchObject({ buried: 0, lost: 0 })
})

test('a run that leaves messages in the spool was not well', async () => {
  const result = await account(gatewayWith(3, {}), fleet, { resources, unread: {} })
  const left = { ...result, ledger: { ...result.ledger, delivered: 1, queued: 2 } }
  expect(isWell(left)).toBe(false)
  expect(accountText(left, false)).toContain('2 messages are still queued')
})

test('after a loss of the embedded queues the number is a lower bound, and the run was not well', async () => {
  const result = { ...(await account(gatewayWith(3, {}), fleet, { resources, unread: {} })), queuesLost: 1 }
  expect(isWell(result)).toBe(false)
  expect(accountText(result, false)).toContain(
    'an unknown number of messages lost: the embedded SQS and SNS ended once, with in-memory queues',
  )
  expect(accountText({ ...result, lost: 5, queuesLost: 2 }, false)).toContain('at least 5 lost: the embedded SQS and SNS ended 2 times')
})
