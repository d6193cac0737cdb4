import fc from 'fast-check'
import { expect, test } from 'vitest'
import { scanPlain } from '../../../../../gateway/rules/sql/fast/fast-json.ts'
import { createMembers } from '../../../../../gateway/rules/sql/fast/scan.ts'

/** What it finds, as text; undefined where it does not take the object. */
function scanned(text: string | Uint8Array): [string, string][] | undefined {
  const bytes = Buffer.from(text)
  const members = createMembers(4)
  if (!scanPlain(bytes, members)) return undefined
  const { count, keyStarts, keyEnds, starts, ends } = members
  const cut = (from: Int32Array, to: Int32Array, i: number) => bytes.toString('utf8', from[i], to[i])
  return Array.from({ length: count }, (_, i) => [cut(keyStarts, keyEnds, i), cut(starts, ends, i)])
}

test('the members of what most devices send', () => {
  expect(scanned('{"a":"x y","b":-18.52,"c":true,"":0}')).toEqual([
    ['"a"', '"x y"'],
    ['"b"', '-18.52'],
    ['"c"', 'true'],
    ['""', '0'],
  ])
})

test.each([
  '{}',
  ' {"a":1}',
  '{"a":1} ',
  '{"a": 1}',
  '{"a":1,}',
  '{"a":1',
  '{"a":1}}',
  '{"a":"}',
  '{"a":"x\\n"}',
  '{"a":"\t"}',
  '{"a":"ü"}',
  '{"a":{}}',
  '{"a":[]}',
  '{"a":tru}',
  '{"a":}',
  '{"a":1,"a":2}',
  '{"7":1}',
  '{"a":1,"b":2,"c":3,"d":4,"e":5}',
  '[1]',
  '',
  '}',
])('%s is for others', (text) => {
  expect(scanned(text)).toBeUndefined()
})

test.each(['0', '5', '-5', '10', '0.5', '-0.05', '0.000001', '123456789012345', '1234567890123.5'])('%s is a number as it is', (text) => {
  expect(scanned(`{"a":${text}}`)).toEqual([['"a"', text]])
})

test.each(['-0', '01', '-01', '1.50', '0.0', '0.0000001', '1e5', '5.', '.5', '-', '+1', '1234567890123456', '0.12345678901234', '00.5'])(
  '%s is a number for others',
  (text) => {
    expect(scanned(`{"a":${text}}`)).toBeUndefined()
  },
)

const printable = fc.string({ unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)), maxLength: 6 })
const value = fc.oneof(
  printable,
  fc.integer(),
  fc.integer({ min: -99_999, max: 99_999 }).map((n) => n / 1_000),
  fc.boolean(),
  fc.constant(null),
)

test('what it takes, JSON.stringify writes the same', () => {
  fc.assert(
    fc.property(fc.dictionary(printable, value, { maxKeys: 5 }), fc.nat(), fc.nat({ max: 255 }), (object, at, byte) => {
      const bytes = Buffer.from(JSON.stringify(object))
      if (byte > 0) bytes[at % bytes.length] = byte // often no JSON any more
      const found = scanned(bytes)
      if (!found) return
      const parsed = JSON.parse(bytes.toString()) as object
      expect(JSON.stringify(parsed)).toBe(bytes.toString())
      expect(found).toEqual(Object.entries(parsed).map(([key, part]) => [JSON.stringify(key), JSON.stringify(part)]))
    }),
    { numRuns: 2_000 },
  )
})

test('it takes every object of plain members', () => {
  const key = fc.stringMatching(/^[a-z_ ]{0,6}$/)
  const plain = fc.oneof(fc.stringMatching(/^[ !#-[\]-~]{0,8}$/), fc.integer(), fc.boolean(), fc.constant(null))
  fc.assert(
    fc.property(fc.dictionary(key, plain, { minKeys: 1, maxKeys: 4, noNullPrototype: true }), (object) => {
      expect(scanned(JSON.stringify(object))).toHaveLength(Object.keys(object).length)
    }),
  )
})
