// What clients name reaches a terminal as visible text: no escape sequences, no lines of its own, no reversed order.
import { describe, test } from 'vitest'
import { alertLine } from '../../../bin/screen.ts'
import { backlogText } from '../../../gateway/cli/backlog.ts'
import { table } from '../../../gateway/cli/experiment.ts'
import { createPretty } from '../../../gateway/cli/pretty.ts'
import { tenantsText } from '../../../gateway/cli/tenants.ts'
import { findingsText } from '../../../gateway/doctor/report.ts'
import { expectHarmless, hostile } from '../../helpers/terminal.ts'

describe.each([true, false])('the log for people, colour %s', (colour) => {
  const pretty = createPretty({ colour })
  test.each([
    ['event', { event: hostile }],
    ['level', { event: 'e', level: hostile }],
    ['time', { event: 'e', time: hostile }],
    ['caller', { event: 'e', caller: hostile }],
    ['name', { event: 'e', name: hostile, pid: 1, hostname: hostile }],
    ['topic', { event: 'e', topic: hostile }],
    ['names of fields', { event: 'e', [hostile]: 1, deep: { [hostile]: [hostile] } }],
    ['errors', { event: 'e', err: { type: 'Error', message: hostile, stack: `Error: ${hostile}\n at x` } }],
    ['an error itself', { event: 'e', type: 'Error', stack: `Error: ${hostile}`, msg: hostile }],
  ])('has nothing raw in %s', (_, fields) => expectHarmless(pretty(JSON.stringify({ level: 'warn', time: 1, ...fields }))))

  test('has nothing raw in a line that is not JSON', () => expectHarmless(pretty(hostile)))
  test('is one line for one event', () => {
    expectHarmless(pretty(JSON.stringify({ level: 'warn', time: 1, event: 'e', topic: hostile, caller: hostile, detail: hostile })), 1)
  })
})

const dwellMs = { p50: 1, p95: 1, p99: 1 }
const tenant = { tenant: hostile, share: 1, received: 1, handled: 1, waiting: 0, inFlight: 0, dwellMs, noisy: false }

test('a table has a line for each row', () => {
  expectHarmless(table([['a'], [hostile]]), 2)
  expectHarmless(tenantsText([{ queue: 'q', tenants: [tenant] }] as never), 2)
  expectHarmless(backlogText([{ queue: hostile, outlook: 'level' }] as never), 2)
})

test('an alert is one line', () => {
  expectHarmless(alertLine(Buffer.from(JSON.stringify({ alert: hostile, device: hostile })), true), 1)
  expectHarmless(alertLine(Buffer.from(hostile), true), 1)
})

test('findings of the doctor are lines of their own', () => {
  const finding = { id: 'x', severity: 'error', file: hostile, field: hostile, text: hostile, fix: 'fix it' }
  expectHarmless(findingsText({ findings: [finding] as never, looked: 'x' }, true), 5)
})
