import { expect, test } from 'vitest'
import { checkThresholds, parseThreshold } from '../../device-sim/thresholds.ts'

const report = { failed: 0, sent: 10, ackMs: { p50: 1, p95: 20, p99: 30, max: 40 } }
const check = (...texts: string[]) => checkThresholds(texts.map(parseThreshold), report)

test('each threshold is told with the value it saw', () => {
  expect(check('ack_ms p95 < 200', 'failed == 0', 'sent>=11', 'ack_ms max <= 39.5')).toEqual([
    { threshold: 'ack_ms p95 < 200', value: 20, ok: true },
    { threshold: 'failed == 0', value: 0, ok: true },
    { threshold: 'sent>=11', value: 10, ok: false },
    { threshold: 'ack_ms max <= 39.5', value: 40, ok: false },
  ])
})

test('a figure the run does not have misses its threshold', () => {
  expect(check('lost == 0', 'connect_ms p50 < 10')).toMatchObject([
    { value: null, ok: false },
    { value: null, ok: false },
  ])
})

test.each([
  ['ack_ms < 5', '"ack_ms" needs one of p50, p95, p99, max after it, as in "ack_ms p95 < 200"'],
  ['failed p95 == 0', '"failed" is a single number: write "failed == 0"'],
  ['speed < 5', '"speed" is not something a threshold can look at; expected one of'],
  ['failed = 0', 'expected a threshold such as "ack_ms p95 < 200" or "failed == 0", got "failed = 0"'],
])('%s is refused with the reason', (text, reason) => {
  expect(() => parseThreshold(text)).toThrow(reason)
})
