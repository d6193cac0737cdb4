import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { GatewayError } from '../../../../gateway/errors.ts'
import { bytesOf } from '../../../../gateway/message/body.ts'
import { printStatement } from '../../../../gateway/rules/sql/print.ts'
import { createScope } from '../../../../gateway/rules/sql/scope.ts'
import { compileStatement, type Statement } from '../../../../gateway/rules/sql/statement.ts'
import { fastPaths } from '../../../helpers/fast-paths.ts'
import { createMessage } from '../../../helpers/message.ts'
import { statementTree } from '../../../helpers/sql-trees.ts'

const environment = { accountId: '123456789012' }
const versions = ['2015-10-08', '2016-03-23'] as const

const value = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom('5', '-1.50', 'true', 'AB€😀', 'eyJhIjoxfQ==', 0.1, 1e21, -0, 1e-7, [1, [2]], { a: { b: [1] } }),
)
const payload = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .record({ a: value, b: value, c: value, list: fc.array(value), nested: fc.dictionary(fc.string(), value) })
      .map((object) => JSON.stringify(object)),
  },
  fc.jsonValue().map((json) => JSON.stringify(json)),
  fc.constantFrom(
    '',
    '{',
    'hello',
    '{"a":12345678901234567890.5,"b":1e400,"c":1e-999}',
    '"text"',
    '{"a":1,"a":2}',
    '{"__proto__":{"a":1}}',
  ),
  fc.uint8Array({ maxLength: 20 }),
)

/** A statement that compiles also evaluates, to JSON or to the message's own bytes. */
function evaluates(statement: Statement, bytes: string | Uint8Array): void {
  const message = createMessage(bytes)
  const body = statement.evaluate(createScope(message, environment))
  if (body !== undefined && bytesOf(body).length > 0 && body !== message.payload) JSON.parse(bytesOf(body).toString())
}

function compiled(sql: string): Statement[] {
  const statements: Statement[] = []
  for (const version of versions) {
    try {
      statements.push(compileStatement(sql, { version, fastPaths }))
    } catch (error) {
      expect(error).toBeInstanceOf(GatewayError)
      expect((error as GatewayError).message).toMatch(/^line \d+, column \d+: [^\n]+$/)
    }
  }
  return statements
}

test('random statements on random payloads', () => {
  fc.assert(
    fc.property(statementTree, fc.array(payload, { minLength: 3, maxLength: 3 }), (tree, payloads) => {
      for (const statement of compiled(printStatement(tree))) for (const bytes of payloads) evaluates(statement, bytes)
    }),
    { numRuns: 500 },
  )
}, 30_000)

const corpus = readFileSync(new URL('../../../cases/sql/statements.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as { sql?: string; expr?: string })
  .map(({ sql, expr }) => sql ?? `SELECT ${expr} AS r FROM 'a/b'`)

const fragments = [
  '(',
  ')',
  "'",
  '"',
  ',',
  '.',
  '*',
  '@x',
  ' AS ',
  ' FROM ',
  ' WHERE ',
  '{',
  '}',
  '[',
  ']',
  ':',
  '-',
  '1E999',
  '\\',
  'SELECT ',
  ' IN ',
  '\u0000',
  '\u20ac',
]

test('mutated statements are refused with a place, or evaluate', () => {
  const mutation = fc.tuple(fc.nat(), fc.nat({ max: 5 }), fc.constantFrom('', ...fragments))
  fc.assert(
    fc.property(fc.constantFrom(...corpus), fc.array(mutation, { minLength: 1, maxLength: 3 }), payload, (sql, mutations, bytes) => {
      let text = sql
      for (const [at, removed, added] of mutations) {
        const start = at % (text.length + 1)
        text = text.slice(0, start) + added + text.slice(start + removed)
      }
      for (const statement of compiled(text)) evaluates(statement, bytes)
    }),
    { numRuns: 1_500 },
  )
}, 30_000)

test.each([
  ['deep arrays', '['.repeat(60_000) + ']'.repeat(60_000)],
  ['deep objects', `${'{"a":'.repeat(900)}1${'}'.repeat(900)}`],
  ['a long number', `{"a":${'9'.repeat(100_000)}}`],
  ['a huge exponent', '{"a":1e999999999,"b":-1E-999999999}'],
])('%s', (_name, bytes) => {
  for (const items of ['*', 'a', 'a + 1 AS x', 'cast(a AS String) AS x, a = a AS y, concat([a], a) AS z', "encode(*, 'base64') AS x"]) {
    for (const statement of compiled(`SELECT ${items} FROM 'a'`)) evaluates(statement, bytes)
  }
})

test('text that grows without bound is Undefined', () => {
  const grow = Array.from({ length: 9 }, (_, i) => `@v${i + 1} = concat(@v${i}, @v${i}, @v${i}, @v${i}, @v${i}, @v${i}, @v${i}, @v${i})`)
  const [statement] = compiled(
    `SET @v0 = 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', ${grow.join(', ')} SELECT @v9 AS x, replace(big, '', big) AS y FROM 'a'`,
  ).slice(-1)
  const body = statement!.evaluate(createScope(createMessage({ big: 'x'.repeat(100_000) }), environment))
  expect(bytesOf(body!).toString()).toBe('{}')
})

test('a pattern that would stall a backtracking engine answers at once', () => {
  const [statement] = compiled("SELECT regexp_matches(a, '(a+)+$') AS x FROM 'a'").slice(-1)
  const body = statement!.evaluate(createScope(createMessage({ a: `${'a'.repeat(50_000)}!` }), environment))
  expect(bytesOf(body!).toString()).toBe('{"x":false}')
})
