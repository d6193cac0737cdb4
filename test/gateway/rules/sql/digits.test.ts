// The quick way to numbers gives what the decimal library gives, number by number and in whole payloads.
import { Decimal as Library } from 'decimal.js'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseExactly } from '../../../../gateway/rules/sql/exact-json.ts'
import { parseJson } from '../../../../gateway/rules/sql/json.ts'
import { isInt, type NumberMode, numberOf, numberText, wholeAsDecimal, wholeAsInt } from '../../../../gateway/rules/sql/number.ts'
import { isNumeric, type Value } from '../../../../gateway/rules/sql/value.ts'

const Decimal = Library.clone({ precision: 34, rounding: Library.ROUND_HALF_UP, modulo: Library.ROUND_DOWN, maxE: 999, minE: -1032 })

/** By the library alone: what kind of number it is, and its text. */
function byLibrary(text: string, mode: NumberMode): string {
  const decimal = new Decimal(text).toSignificantDigits(34)
  if (!decimal.isFinite()) return 'undefined'
  const isDecimal = mode.wholeDecimals && /[.eE]/.test(text)
  const whole = decimal.isInteger()
  const double = decimal.toNumber()
  const shown = Number.isFinite(double) && new Decimal(double).eq(decimal)
  if (shown && !(whole && isDecimal)) return `double ${double + 0}`
  const int = whole && !isDecimal && decimal.e < 34
  return `exact ${int} ${bigDecimal(decimal, int)}`
}

function bigDecimal(decimal: Library, int: boolean): string {
  if (decimal.isInteger() && decimal.e < 34) return int ? decimal.toFixed() : `${decimal.toFixed()}.0`
  if (decimal.e >= -6 && !decimal.isInteger()) return decimal.toFixed()
  return decimal.toExponential().replace('e', 'E')
}

function byHand(text: string, mode: NumberMode): string {
  const value = numberOf(text, mode)
  if (value === undefined) return 'undefined'
  return typeof value === 'number' ? `double ${value}` : `exact ${isInt(value)} ${numberText(value)}`
}

const digits = (most: number) => fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: most }).map((list) => list.join(''))
const zeros = fc.integer({ min: 0, max: 40 }).map((count) => '0'.repeat(count))
const whole = fc.oneof(
  digits(3),
  digits(18),
  digits(40),
  fc.tuple(digits(20), zeros).map(([a, b]) => a + b),
)
const fraction = fc.oneof(
  fc.constant(''),
  digits(6),
  digits(20),
  digits(60),
  fc.tuple(zeros, digits(20), zeros).map(([a, b, c]) => a + b + c),
)
const exponent = fc.oneof(
  fc.constant(''),
  fc.integer({ min: -40, max: 40 }).map((e) => `e${e}`),
  fc.integer({ min: -1_200, max: 1_200 }).map((e) => `E${e < 0 ? e : `+${e}`}`),
)
const invented = fc
  .tuple(fc.boolean(), whole, fraction, exponent)
  .map(([minus, w, f, e]) => `${minus ? '-' : ''}${w.replace(/^0+(?=\d)/, '')}${f && `.${f}`}${e}`)
/** Texts of doubles and their neighbours: the last digit is one off. */
const nearDouble = fc
  .tuple(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer({ min: 0, max: 9 }))
  .map(([double, digit]) => String(double).replace(/\d(?=e|$)/, String(digit)))
/** Of 16 and 17 digits, where the shortest text is nearest to call. */
const long = fc.tuple(fc.bigInt({ min: 10n ** 15n, max: 10n ** 17n - 1n }), fc.integer({ min: 0, max: 22 })).map(([whole, places]) => {
  const digits = String(whole).padStart(places + 1, '0')
  return places === 0 ? digits : `${digits.slice(0, -places)}.${digits.slice(-places)}`
})
const number = fc.oneof(
  long,
  invented,
  nearDouble,
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }).map(String),
)

test.each([
  ['wholeAsInt', wholeAsInt],
  ['wholeAsDecimal', wholeAsDecimal],
] as const)('a number is the same as by the library alone, %s', (_, mode) => {
  fc.assert(
    fc.property(number, (text) => {
      expect(byHand(text, mode), text).toBe(byLibrary(text, mode))
    }),
    { numRuns: 20_000 },
  )
})

test.each([
  '0',
  '-0',
  '-0.0',
  '0.0',
  '0e5',
  '10.0',
  '1e22',
  '1e21',
  '123456789012345680000',
  '9007199254740993',
  '9007199254740992.0',
  '1e-7',
  '0.0000001',
  '12345678901234567e-25',
  '99999999999999999',
  '0.1000000000000000055511151231257827',
  '1e999',
  '9.99e999',
  '1e1000',
  '1e-1032',
  '1e-2000',
  '5e-324',
  '4.9406564584124654e-324',
  '1.7976931348623157e308',
  '1.7976931348623159e308',
  '1e34',
  '1234567890123456789012345678901234',
  '12345678901234567890123456789012345',
])('%s is the same as by the library alone', (text) => {
  for (const mode of [wholeAsInt, wholeAsDecimal]) expect(byHand(text, mode)).toBe(byLibrary(text, mode))
})

test('a text of any length is rounded as a whole', () => {
  const long = `0.${'1234567890'.repeat(10_000)}`
  expect(numberText(numberOf(long)!)).toBe('0.1234567890123456789012345678901235')
  expect(numberText(numberOf(`${'9'.repeat(900)}.${'9'.repeat(100_000)}`)!)).toBe('1E+900')
  expect(numberOf(`${'9'.repeat(100_000)}`)).toBeUndefined()
})

const revive = (mode: NumberMode) => (_key: string, value: unknown, context?: { readonly source?: string }) =>
  typeof value === 'number' ? numberOf(context!.source!, mode) : value

/** Everything that can be told apart: types, texts of numbers, keys in their order, and what is left out. */
function spelled(value: Value): unknown {
  if (isNumeric(value)) return `${isInt(value)} ${numberText(value)}`
  if (Array.isArray(value)) return value.map(spelled)
  if (typeof value === 'object' && value !== null) return Object.entries(value).map(([key, member]) => [key, spelled(member)])
  return value
}

test('a payload is the same as by JSON.parse with a reviver', () => {
  const payload = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      number,
      fc.string().map((text) => JSON.stringify(text)),
      fc.constantFrom('true', 'false', 'null', '[]', '{}', '1e5000', '"\\u0041\\"\\\\"'),
      fc.array(tie('value'), { maxLength: 4 }).map((items) => `[ ${items.join(' ,\n')} ]`),
      fc
        .array(fc.tuple(fc.oneof(fc.string(), fc.constantFrom('__proto__', '7', 'a', 'a')), tie('value')), { maxLength: 4 })
        .map((members) => `{${members.map(([key, value]) => `${JSON.stringify(key)} :\t${value}`).join(', ')}}`),
    ),
  })).value as fc.Arbitrary<string>
  fc.assert(
    fc.property(payload, fc.constantFrom(wholeAsInt, wholeAsDecimal), (text, mode) => {
      const wanted = JSON.parse(text, revive(mode)) as Value
      expect(spelled(parseExactly(text, mode, JSON.parse(text))), text).toEqual(spelled(wanted))
      expect(JSON.stringify(parseJson(text, mode))).toBe(JSON.stringify(wanted))
    }),
    { numRuns: 3_000 },
  )
})
