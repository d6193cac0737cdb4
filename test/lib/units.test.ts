import { expect, test } from 'vitest'
import { formatDuration, formatSize, parseDuration, parseRate, parseSize } from '../../lib/units.ts'

test.each([
  ['500ms', 500],
  ['10s', 10_000],
  ['1.5m', 90_000],
  ['6h', 21_600_000],
  ['10', undefined],
  ['s', undefined],
  ['10 parsecs', undefined],
  ['-5s', undefined],
  ['1constructor', undefined],
])('duration %s', (text, ms) => expect(parseDuration(text)).toBe(ms))

test.each([
  ['20/s', 20],
  ['6/m', 0.1],
  ['0.5/s', 0.5],
  ['20', undefined],
  ['20/x', undefined],
])('rate %s', (text, perSecond) => expect(parseRate(text)).toBe(perSecond))

test.each([
  ['64MiB', 67_108_864],
  ['5 KB', 5_000],
  ['12B', 12],
  ['12', undefined],
])('size %s', (text, bytes) => expect(parseSize(text)).toBe(bytes))

test('formats', () => {
  expect([350, 90_000, 3_600_000, 90_061_000].map(formatDuration)).toEqual(['350ms', '1m 30s', '1h', '1d 1h'])
  expect([512, 67_108_864].map(formatSize)).toEqual(['512 B', '64.0 MiB'])
})
