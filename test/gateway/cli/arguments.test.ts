import { expect, test } from 'vitest'
import { toMs, toMsOrNone } from '../../../gateway/cli/arguments.ts'

test.each([toMs, toMsOrNone])('a duration is milliseconds, and what is none is told how to write one', (parse) => {
  expect(parse('1.5s')).toBe(1_500)
  expect(() => parse('soon')).toThrow('write a duration such as 500ms, 10s or 5m.')
})

test('0 is only a duration where it means not to wait', () => {
  expect(toMsOrNone('0s')).toBe(0)
  expect(() => toMs('0s')).toThrow('a duration above zero is needed.')
})
