// The published table as printed, and today's of the same shape.
import { expect, test } from 'vitest'
import { bytesOf, compareTable, measuredColumns, published } from '../../cost/compare.ts'
import { readRun } from '../../cost/measurement.ts'
import { runFile } from '../helpers/cost-run.ts'

const run = await readRun(runFile)

test('the published parts give the published sums; its MQTT column is one byte off for ten messages', () => {
  const sums = published.map((column) => [1, 10, 100].map((n) => bytesOf(column, n)))
  expect(sums).toEqual([
    [6_336, 9_828, 44_748],
    [5_546, 55_460, 554_600],
  ])
})

test('today: a handshake dominates a single message, and a connection for each message a hundred', () => {
  const [mqtt, each, kept] = measuredColumns(run)
  expect(compareTable(measuredColumns(run)).header).toEqual([
    'bytes',
    'MQTT',
    'HTTPS, a connection a message',
    'HTTPS, connection kept',
    'WebSocket',
  ])
  expect(mqtt!.open).toBeGreaterThan(5 * mqtt!.message)
  expect(bytesOf(each!, 100) / bytesOf(mqtt!, 100)).toBeGreaterThan(10)
  expect(bytesOf(kept!, 100) / bytesOf(mqtt!, 100)).toBeLessThan(3)
})

test('a run in which nobody could look at connections has no such table', () => {
  const blind = { ...run, transports: run.transports.map(({ perOpen: _, ...one }) => one) }
  expect(() => measuredColumns(blind)).toThrow('takes Linux, iproute2')
})
