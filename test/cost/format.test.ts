// Crossovers in words.
import { expect, test } from 'vitest'
import type { Crossover } from '../../cost/crossover.ts'
import { formatInterval, formatPoint, formatRanges } from '../../cost/format.ts'
import { markdownTable, textTable } from '../../cost/table.ts'
import { parseWorkload } from '../../cost/workload.ts'

const found = (ranges: Crossover['ranges'], turns: Crossover['turns'] = []): Crossover => ({
  axis: 'payload',
  paths: ['iot-mqtt', 'iot-https'],
  workload: parseWorkload({}),
  ranges,
  turns,
})

test('intervals have the unit a person would use', () => {
  expect([1_000, 17_884.69, 803_029, 86_400_000].map(formatInterval)).toEqual(['1 s', '17.88 s', '13.38 min', '24 h'])
  expect(formatPoint('devices', 12_345)).toBe('12,345 devices')
})

test('one range is always, two turn once, many are cut and counted', () => {
  expect(formatRanges(found([{ from: 1, to: 9, cheaper: 'iot-https' }]))).toBe('always iot-https')
  const two = [{ from: 1, to: 4, cheaper: 'equal' } as const, { from: 5, to: 9, cheaper: 'iot-mqtt' } as const]
  expect(formatRanges(found(two))).toBe('equal up to 4 bytes, then iot-mqtt')
  const many = Array.from({ length: 9 }, (_, i) => ({ from: i, to: i, cheaper: i % 2 ? ('iot-mqtt' as const) : ('iot-https' as const) }))
  const turns = many.slice(1).map(({ from }) => ({ at: from - 1, before: from - 1, after: from, kind: 'step' as const }))
  expect(formatRanges(found(many, turns))).toMatch(/^iot-https up to 0 bytes, .* … \(8 turns, the last at 7 bytes to iot-https\)$/)
})

test('tables align the first column left and the others right', () => {
  expect(textTable(['a', 'bb'], [['long', '1']])).toBe('a     bb\n----  --\nlong   1')
  expect(markdownTable(['a', 'b'], [['x|y', '1']])).toBe('| a | b |\n| --- | ---: |\n| x\\|y | 1 |')
})
