import { expect, test } from 'vitest'
import { deadReason, isPermanentFailure, PermanentFailure } from '../../../gateway/consume/failure.ts'

test('a permanent failure is known by its shape, so that a module may bring its own class', () => {
  class Foreign extends Error {
    override readonly name = 'PermanentFailure'
    readonly reason = 'unknown unit'
  }
  expect(isPermanentFailure(new PermanentFailure('unknown unit'))).toBe(true)
  expect(isPermanentFailure(new Foreign('x'))).toBe(true)
  expect(isPermanentFailure(new Error('unknown unit'))).toBe(false)
  expect(isPermanentFailure('PermanentFailure')).toBe(false)
})

test.each([
  ['unknown unit `K`', 'HANDLER_REFUSED: unknown unit `K`'],
  ['first line\n    at handler (/srv/app/handler.ts:10:3)', 'HANDLER_REFUSED: first line'],
  ['login failed: password=hunter2 for bob', 'HANDLER_REFUSED: login failed: *** for bob'],
  ['Authorization: Bearer abc.def.ghi refused', 'HANDLER_REFUSED: *** *** refused'],
  ['key AKIAIOSFODNN7EXAMPLE refused', 'HANDLER_REFUSED: key *** refused'],
  ['postgres://bob:hunter2@db/app is away', 'HANDLER_REFUSED: postgres://***/app is away'],
  ['no arn:aws:sqs:us-east-1:123456789012:orders', 'HANDLER_REFUSED: no ***'],
  ['tab\u0000\u0007\u{1f600} end', 'HANDLER_REFUSED: tab end'],
  ['', 'HANDLER_REFUSED: no reason given'],
])('what a handler said: %j', (said, reason) => {
  const made = deadReason('HANDLER_REFUSED', said)
  if (said.startsWith('Authorization')) expect(made).not.toMatch(/abc|Bearer/)
  else expect(made).toBe(reason)
})

test('a long reason is cut', () => {
  expect(deadReason('HANDLER_REFUSED', 'x'.repeat(5_000)).length).toBeLessThan(250)
})
