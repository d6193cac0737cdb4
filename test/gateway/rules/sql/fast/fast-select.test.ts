import { isAscii } from 'node:buffer'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { bytesOf, JsonText } from '../../../../../gateway/message/body.ts'
import { createScope } from '../../../../../gateway/rules/sql/scope.ts'
import { compileStatement } from '../../../../../gateway/rules/sql/statement.ts'
import { createMessage } from '../../../../helpers/message.ts'

const environment = { accountId: '123456789012' }
const statements = [
  "SELECT temperature, device FROM 'a' WHERE temperature > 50",
  "SELECT a, b, c, device AS d FROM 'a'",
  "SELECT a FROM 'a' WHERE NOT (b = 'x') AND c <> 1",
  "SELECT a.b AS x, upper(device) AS u, topic(2) AS t, a FROM 'a' WHERE a.b >= 0 OR isUndefined(b)",
  "SELECT a AS x, a AS y, [a, b] AS z, a + b AS sum, cast(c AS String) AS s FROM 'a'",
  "SELECT topic() AS t FROM 'a'",
  "SELECT * FROM 'a'",
  "SELECT * FROM 'a' WHERE a > 1 OR isUndefined(b)",
  "SELECT *, topic(2) AS t, upper(device) AS u, timestamp() AS at FROM 'a'",
  "SELECT a, upper(topic(2)) AS u, topic(1) + '-' + topic(3) AS n, [topic(9), concat(topic(1), 7)] AS l FROM 'a'",
  "SELECT *, 1 AS a, b AS x FROM 'a' WHERE c <> 1",
].map((sql) => [compileStatement(sql), compileStatement(sql, { fastPaths: false })] as const)

/** The fast path and the general path give the same bytes. */
function agree(payload: string | Uint8Array): void {
  for (const [fast, general] of statements) {
    const [short, long] = [fast, general].map((statement) => statement.evaluate(createScope(createMessage(payload), environment)))
    expect(short && bytesOf(short).toString()).toBe(long && bytesOf(long).toString())
    if (short instanceof JsonText) expect(short.isAscii).toBe(isAscii(bytesOf(short)))
  }
}

const space = fc.constantFrom('', '', '', ' ', '\n\t', '\r', '\u00a0', '\v')
const numberText = fc.oneof(
  fc.integer().map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.tuple(fc.integer({ min: -99, max: 99 }), fc.nat({ max: 99_999 })).map(([whole, fraction]) => `${whole}.${fraction}`),
  fc.constantFrom(
    '-0',
    '0',
    '0.0',
    '-0.0',
    '1.50',
    '10',
    '100',
    '0.000001',
    '0.0000001',
    '-0.00000010',
    '1e5',
    '1E400',
    '01',
    '-',
    '.5',
    '5.',
    '1.e3',
    '+1',
  ),
  fc.constantFrom('123456789012345', '1234567890123456', '12345678901234.5', '0.123456789012345', '9007199254740993', '50.000000000000001'),
)
const textOf = fc.oneof(
  fc.string({ maxLength: 5 }).map((text) => JSON.stringify(text)),
  fc.constantFrom('"x"', '"\\u0061"', '"é€😀"', '"\u2028"', '"\u007f"', '"a\nb"', '"open', "'x'", '"\\x"'),
)
const { value } = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    numberText,
    textOf,
    fc.constantFrom('true', 'false', 'null', 'tru', 'nul', 'True', 'undefined', ''),
    fc
      .tuple(fc.array(tie('value'), { maxLength: 3 }), space, fc.constantFrom(',', ',', ',', ';', ',,'))
      .map(([items, gap, comma]) => `[${gap}${items.join(comma)}${gap}]`),
    fc
      .array(fc.tuple(fc.constantFrom('"b"', '"x"', 'x', '"b"'), tie('value')), { maxLength: 3 })
      .map((members) => `{${members.map((pair) => pair.join(':')).join(',')}}`),
  ),
}))
const key = fc.constantFrom('"temperature"', '"device"', '"a"', '"b"', '"c"', '"other"', '"\\u0061"', '"__proto__"', 'a', '"é"')
const member = fc.tuple(space, key, space, fc.constantFrom(':', ':', ':', ':', '='), space, value, space).map((parts) => parts.join(''))
const object = fc
  .tuple(space, fc.array(member, { maxLength: 5 }), fc.constantFrom('}', '}', '}', '}', '', '},', '} x', '}\n'))
  .map(([gap, members, end]) => `${gap}{${members.join(',')}${end}`)

test('random JSON, and what is nearly JSON', () => {
  fc.assert(fc.property(fc.oneof(object, value), agree), { numRuns: 2_000 })
}, 30_000)

const valid = JSON.stringify({ device: 'é-7', temperature: 63.25, a: { b: [1, 2.5, 'x'] }, b: 'text', c: null, other: [{}, [], true] })

test('one byte changed', () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat({ max: 255 }), (at, byte) => {
      const bytes = Buffer.from(valid)
      bytes[at % bytes.length] = byte
      agree(bytes)
    }),
    { numRuns: 2_000 },
  )
}, 30_000)

test.each([
  '',
  '{}',
  ' { } ',
  '[]',
  '5',
  'hello',
  valid,
  '{"a":1,"a":2}',
  '{"a":12345678901234567890,"b":0.1234567890123456789,"c":1e400}',
  `{"a":${'['.repeat(40)}${']'.repeat(40)}}`,
  `{"a":"${'x'.repeat(20_000)}"}`,
  `{"a":"${'é'.repeat(8_000)}","b":1}`,
  '{"temperature":51,"device":"d","temperature":49}',
  '{"temperature":49,"device":"d","temperature":51}',
])('%.60s', agree)

test('a payload is scanned for two rules, and parsed for the third', () => {
  const scope = createScope(createMessage(valid), environment)
  const bodies = [0, 1, 2, 3].map(() => bytesOf(statements[1]![0].evaluate(scope)!).toString())
  expect(new Set(bodies).size).toBe(1)
  expect(scope.scannable()).toBeUndefined()
})
