import { Decimal as Library } from 'decimal.js'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type ArithmeticOperator,
  arithmetic,
  compareNumbers,
  isInt,
  numberOf,
  numberText,
  parseNumeric,
  roundTo,
  wholeAsDecimal,
  wholeAsInt,
} from '../../../../gateway/rules/sql/number.ts'

const Decimal = Library.clone({ precision: 34, rounding: Library.ROUND_HALF_UP, modulo: Library.ROUND_DOWN })

const digits = (most: number) => fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: most }).map((list) => list.join(''))
const decimalText = fc
  .tuple(fc.boolean(), fc.oneof(digits(3), digits(16)), fc.oneof(fc.constant(''), digits(4), digits(16)))
  .map(([negative, whole, fraction]) => `${negative ? '-' : ''}${whole.replace(/^0+(?=\d)/, '')}${fraction === '' ? '' : `.${fraction}`}`)
const operator = fc.constantFrom<ArithmeticOperator>('+', '-', '*', '/', '%')

function expected(sign: ArithmeticOperator, a: Library, b: Library, ints: boolean): Library | undefined {
  if (sign === '+') return a.plus(b)
  if (sign === '-') return a.minus(b)
  if (sign === '*') return a.times(b)
  if (b.isZero()) return undefined
  if (sign === '%') return a.modulo(b)
  return ints ? a.dividedToIntegerBy(b) : a.dividedBy(b)
}

test('arithmetic gives what the decimal library gives, whichever way it takes', () => {
  fc.assert(
    fc.property(operator, decimalText, decimalText, (sign, left, right) => {
      const a = numberOf(left)!
      const b = numberOf(right)!
      const ints = isInt(a) && isInt(b)
      const result = arithmetic(sign, a, b, ints, wholeAsInt)
      const decimal = expected(sign, new Decimal(left), new Decimal(right), ints)
      if (decimal === undefined) expect(result).toBeUndefined()
      else
        expect(new Decimal(numberText(result!)).eq(decimal), `${left} ${sign} ${right} is ${numberText(result!)}, not ${decimal}`).toBe(
          true,
        )
    }),
    { numRuns: 3_000 },
  )
})

test('comparison is that of the decimals', () => {
  fc.assert(
    fc.property(decimalText, decimalText, (left, right) => {
      expect(compareNumbers(numberOf(left)!, numberOf(right)!) + 0).toBe(new Decimal(left).comparedTo(right) + 0)
    }),
  )
})

test('a number and its text are the same number', () => {
  fc.assert(
    fc.property(decimalText, (text) => {
      expect(numberOf(numberText(numberOf(text)!))).toEqual(numberOf(text))
    }),
  )
})

describe('numberText', () => {
  test.each([
    ['10.0', '10'],
    ['1E3', '1000'],
    ['1e21', '1000000000000000000000'],
    ['1E33', `1${'0'.repeat(33)}`],
    ['1E34', '1E+34'],
    ['0.000001', '0.000001'],
    ['0.0000001', '1E-7'],
    ['-1.5e-8', '-1.5E-8'],
    ['1234567890123456789012345678901234', '1234567890123456789012345678901234'],
    ['12345678901234567890123456789012345', '1.234567890123456789012345678901235E+34'],
  ])('%s is %s', (text, shown) => {
    expect(numberText(numberOf(text)!)).toBe(shown)
  })

  test('2015-10-08 keeps whole Decimals', () => {
    expect(numberText(numberOf('10.0', wholeAsDecimal)!)).toBe('10.0')
    expect(numberText(numberOf('10', wholeAsDecimal)!)).toBe('10')
  })
})

test.each(['+5', '.5', '5.', '1E+3', ' 5', '5 ', '1,000', '0x10', 'NaN', '', '--5', '5d', '٣', 'Infinity', '1e', '1E9999'])(
  '%j is no number',
  (text) => {
    expect(parseNumeric(text)).toBeUndefined()
  },
)

test.each([
  ['0', 0],
  ['-1.2', -1.2],
  ['5E-12', 5e-12],
  ['5e3', 5000],
  ['007', 7],
])('%s reads as %d', (text, value) => {
  expect(parseNumeric(text)).toBe(value)
})

test.each([
  ['floor', '-1.2', -2],
  ['ceil', '-1.2', -1],
  ['truncate', '-1.9', -1],
  ['halfUp', '-1.5', -2],
  ['halfUp', '0.5', 1],
  ['halfUp', '0.49999999999999999999', 0],
] as const)('%s of %s', (rounding, text, value) => {
  expect(roundTo(numberOf(text)!, rounding)).toBe(value)
})
