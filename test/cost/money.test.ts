// Dollars in and out of integers without losing any.
import { describe, expect, test } from 'vitest'
import { divideRounded, formatUsd, parseUsd, toUsd } from '../../cost/money.ts'

describe('parseUsd', () => {
  test.each([
    ['0.08', 80_000_000n],
    ['1', 1_000_000_000n],
    ['16.6667', 16_666_700_000n],
    ['0.000000001', 1n],
    ['-0.50', -500_000_000n],
  ])('%s', (text, nanos) => expect(parseUsd(text)).toBe(nanos))

  test.each(['0.0000000001', '1e-6', '', '.5', '$1'])('refuses %j', (text) => expect(() => parseUsd(text)).toThrow('not an amount'))
})

test('formatUsd shows cents, and more of what is small', () => {
  expect(formatUsd(0n)).toBe('$0.00')
  expect(formatUsd(46_656_000n)).toBe('$0.0467')
  expect(formatUsd(parseUsd('34396'))).toBe('$34,396.00')
  expect(formatUsd(parseUsd('999.995'))).toBe('$1,000.00')
  expect(formatUsd(parseUsd('-1234.5'))).toBe('-$1,234.50')
})

test('toUsd keeps every nano-dollar of everyday sums', () => {
  expect(toUsd(10_286_666_667n)).toBe(10.286666667)
  expect(toUsd(-1n)).toBe(-1e-9)
})

test('divideRounded rounds half away from zero', () => {
  expect([5n, 4n, -5n, -4n].map((n) => divideRounded(n, 10n))).toEqual([1n, 0n, -1n, 0n])
})
