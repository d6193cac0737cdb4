import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { maxDepth, parseJson } from '../../../../gateway/rules/sql/json.ts'
import { type Exact, numberText, wholeAsDecimal } from '../../../../gateway/rules/sql/number.ts'
import { isNumeric, typeOf } from '../../../../gateway/rules/sql/value.ts'

function textOf(json: string, mode?: typeof wholeAsDecimal): string {
  const value = parseJson(json, mode)
  return isNumeric(value) ? numberText(value) : String(value)
}

test.each([
  ['9007199254740993', '9007199254740993'],
  ['12345678901234567890', '12345678901234567890'],
  ['0.1234567890123456789', '0.1234567890123456789'],
  ['22.700000000000003', '22.700000000000003'],
  ['1e400', '1E+400'],
  ['-1.5E-320', '-1.5E-320'],
  ['1e22', '10000000000000000000000'],
  ['1e1000', 'undefined'],
  ['-0', '0'],
])('%s is %s', (json, text) => {
  expect(textOf(json)).toBe(text)
})

const digits = fc
  .array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 20 })
  .map((list) => list.join('').replace(/^0+(?=\d)/, ''))
const fraction = fc.oneof(
  fc.constant(''),
  fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 20 }).map((list) => `.${list.join('')}`),
)
const exponent = fc.oneof(
  fc.constant(''),
  fc.integer({ min: -350, max: 350 }).map((e) => `e${e}`),
  fc.integer({ min: 0, max: 350 }).map((e) => `E+${e}`),
)

test('a number anywhere in a payload keeps its value, wherever a look at every third character falls', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 8 }), digits, fraction, exponent, (padding, whole, decimals, power) => {
      const number = whole + decimals + power
      const alone = parseJson(number)
      const inside = parseJson(`{"${padding.replace(/["\\]/g, '')}":0,"n":[${number}]}`) as { n: readonly unknown[] }
      expect(inside.n[0]).toEqual(alone)
      if (typeof alone === 'number') expect(alone).toBe(Number(number) + 0)
    }),
    { numRuns: 3_000 },
  )
})

describe('2015-10-08', () => {
  test('leaves a whole Decimal what it is', () => {
    const { a, b } = parseJson('{"a":10.0,"b":10}', wholeAsDecimal) as { a: Exact; b: number }
    expect([typeOf(a), typeOf(b)]).toEqual(['Decimal', 'Int'])
    expect(JSON.stringify({ a, b })).toBe('{"a":10.0,"b":10}')
  })
})

test.each(['', ' ', '{', '{"a":1,}', "{'a':1}", 'NaN', '[1', `${'['.repeat(maxDepth + 1)}${']'.repeat(maxDepth + 1)}`])(
  '%.20s is not JSON',
  (text) => {
    expect(parseJson(text)).toBeUndefined()
  },
)

test('depth up to the limit is JSON', () => {
  expect(parseJson(`${'['.repeat(maxDepth)}${']'.repeat(maxDepth)}`)).toBeDefined()
})
