import { describe, expect, test } from 'vitest'
import type { BinaryOperator } from '../../../../gateway/rules/sql/ast.ts'
import { wholeAsInt } from '../../../../gateway/rules/sql/number.ts'
import { not, operators } from '../../../../gateway/rules/sql/operators.ts'
import type { Value } from '../../../../gateway/rules/sql/value.ts'

// U is Undefined, T and F are true and false; anything else is the result itself.
const U = undefined
const T = true
const F = false
const named: Readonly<Record<string, Value>> = {
  '5': 5,
  '2.5': 2.5,
  "'7'": '7',
  "'x'": 'x',
  true: true,
  null: null,
  '[1]': [1],
  '{"k":1}': { k: 1 },
  u: U,
}

function grid(operator: BinaryOperator, columns: readonly string[], rows: Readonly<Record<string, readonly Value[]>>): void {
  const cases = Object.entries(rows).flatMap(([left, results]) => results.map((result, i) => [left, columns[i]!, result] as const))
  test.each(cases)(`%s ${operator} %s is %j`, (left, right, result) => {
    expect(operators[operator](named[left], named[right], wholeAsInt)).toEqual(result)
  })
}

const all = ['5', '2.5', "'7'", "'x'", 'true', 'null', '[1]', '{"k":1}', 'u']
const nothing = all.map(() => U)

describe('= and <> convert nothing', () => {
  const equal = Object.fromEntries(all.map((left) => [left, all.map((right) => (left === 'u' || right === 'u' ? U : left === right))]))
  grid('=', all, equal)
  grid('<>', all, Object.fromEntries(Object.entries(equal).map(([left, row]) => [left, row.map((value) => (value === U ? U : !value))])))
})

describe('ordering takes numbers and numeric text', () => {
  grid('>', all, {
    '5': [F, T, F, U, U, U, U, U, U],
    '2.5': [F, F, F, U, U, U, U, U, U],
    "'7'": [T, T, F, U, U, U, U, U, U],
    "'x'": nothing,
    true: nothing,
    null: nothing,
    '[1]': nothing,
    '{"k":1}': nothing,
    u: nothing,
  })
})

describe('+ is concatenation as soon as one side is a String', () => {
  grid('+', all, {
    '5': [10, 7.5, '57', '5x', U, U, U, U, U],
    '2.5': [7.5, 5, '2.57', '2.5x', U, U, U, U, U],
    "'7'": ['75', '72.5', '77', '7x', '7true', U, '7[1]', '7{"k":1}', U],
    true: [U, U, 'true7', 'truex', U, U, U, U, U],
    null: nothing,
    '[1]': [U, U, '[1]7', '[1]x', U, U, U, U, U],
    '{"k":1}': [U, U, '{"k":1}7', '{"k":1}x', U, U, U, U, U],
    u: nothing,
  })
})

describe('the other arithmetic takes numbers and numeric text', () => {
  grid('-', all, {
    '5': [0, 2.5, -2, U, U, U, U, U, U],
    '2.5': [-2.5, 0, -4.5, U, U, U, U, U, U],
    "'7'": [2, 4.5, 0, U, U, U, U, U, U],
    "'x'": nothing,
    true: nothing,
    null: nothing,
    u: nothing,
  })
  grid('*', all, { '5': [25, 12.5, 35, U, U, U, U, U, U], '[1]': nothing })
  grid('/', ['5', '2.5'], { '5': [1, 2], "'7'": [1.4, 2.8], "'x'": [U, U] })
  grid('%', all, { '5': [0, 0, 5, U, U, U, U, U, U], "'7'": [2, 2, 0, U, U, U, U, U, U] })
})

describe('logic takes Booleans and their text, and is strict', () => {
  const values: readonly Value[] = [true, false, 'TRUE', 'no', 1, null, U]
  const known = (value: Value) => (value === 'TRUE' ? true : typeof value === 'boolean' ? value : U)
  test.each(values.flatMap((left) => values.map((right) => [left, right] as const)))('%j with %j', (left, right) => {
    const [a, b] = [known(left), known(right)]
    expect(operators.AND(left, right, wholeAsInt)).toBe(a === U || b === U ? U : a && b)
    expect(operators.OR(left, right, wholeAsInt)).toBe(a === U || b === U ? U : a || b)
    expect(not(left)).toBe(a === U ? U : !a)
  })
})

test('IN finds an equal element of an Array', () => {
  const list = [1, 2, 3, 'three', 5.7, null, [1], { k: 1 }]
  for (const found of [3, 'three', 5.7, null, [1], { k: 1 }]) expect(operators.IN(found, list, wholeAsInt)).toBe(true)
  for (const absent of ['3', 'Three', true, [2], { k: 2 }]) expect(operators.IN(absent, list, wholeAsInt)).toBe(false)
  for (const other of ['three', { k: 1 }, null, U]) expect(operators.IN(3, other, wholeAsInt)).toBe(U)
  expect(operators.IN(U, list, wholeAsInt)).toBe(U)
})
