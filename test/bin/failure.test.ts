import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { describeFailure } from '../../bin/failure.ts'
import { Interrupted } from '../../lib/stop-signal.ts'

test('a call to the system that failed is a sentence with the path, without a stack', () => {
  try {
    readFileSync('/nowhere/file')
  } catch (error) {
    expect(describeFailure(error)).toEqual({ text: 'weir: cannot open /nowhere/file (ENOENT)', code: 1 })
  }
  expect.assertions(1)
})

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('a command stopped by %s ends with %i', (signal, code) => {
  expect(describeFailure(new Interrupted(signal))).toEqual({ text: `weir: stopped by ${signal} before it was done`, code })
})
