// What a payload can make a rule do is bounded: each of these took seconds, or made hundreds of megabytes.
import { describe, expect, test } from 'vitest'
import type { GatewayError } from '../../../../gateway/errors.ts'
import { bytesOf } from '../../../../gateway/message/body.ts'
import { maxPatternSize, maxSuppliedSize, sizeOf } from '../../../../gateway/rules/sql/functions/pattern.ts'
import { createScope } from '../../../../gateway/rules/sql/scope.ts'
import { compileStatement, maxOutputLength, type Statement } from '../../../../gateway/rules/sql/statement.ts'
import { fastPaths } from '../../../helpers/fast-paths.ts'
import { createMessage } from '../../../helpers/message.ts'

function evaluate(sql: string | Statement, payload: unknown): unknown {
  const message = createMessage(payload as object)
  const statement = typeof sql === 'string' ? compileStatement(sql, { fastPaths }) : sql
  const body = statement.evaluate(createScope(message, { accountId: '000000000000' }))
  return body && JSON.parse(bytesOf(body).toString())
}

const code = (run: () => unknown): string => {
  try {
    return `no error: ${JSON.stringify(run())}`
  } catch (error) {
    return (error as GatewayError).code
  }
}

const ab = 'ab'.repeat(50_000)
const calls = ['regexp_matches(x, y)', 'regexp_substr(x, y)', "regexp_replace(x, y, 'z')"]

describe('a regular expression from the payload', () => {
  test.each([
    ['that repeats 500 times, on a long text', '[a-z]{500}$', ab],
    ['with nested repeats', '(a{1000}){1000}', 'a'],
    ['whose repeats make it large', `(?:${'x'.repeat(240)}){1000}`, 'x'],
    ['of many repeats', 'x{1000}'.repeat(30), 'x'],
    ['with many large classes', '(?i)'.concat('\\pL'.repeat(80)), 'x'],
    ['that is long', 'x'.repeat(300), 'x'],
    ['on a text that is too long for it', '[ab]*a[ab]{90}$', ab.slice(0, 1_000)],
    ['that is not valid', '(', 'x'],
  ])('%s gives Undefined', (_, y, x) => {
    for (const call of calls) expect(evaluate(`SELECT ${call} AS r FROM '#'`, { x, y }), call).toEqual({})
  })

  test.each([
    ['^[A-Z]{2}-\\d{4}$', 'AB-1234', true],
    ['[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}', '3f2a8c1e-0b4d-4c6e-9f1a-2b3c4d5e6f70', true],
    ['error|warn', `${'.'.repeat(2_000)}warn`, true],
  ])('%s works', (y, x, r) => expect(evaluate(`SELECT regexp_matches(x, y) AS r FROM '#'`, { x, y })).toEqual({ r }))

  test('that looks ahead to the end from each of its matches makes the rule fail', () => {
    expect(code(() => evaluate(`SELECT regexp_replace(x, y, 'z') AS r FROM '#'`, { x: 'a'.repeat(4_000), y: 'a(.*b)?' }))).toBe(
      'RULE_FAILED',
    )
  })

  test('in each of many rows makes the rule fail, and get_or_default does not hide it', () => {
    const xs = Array.from({ length: 500 }, () => ({ t: ab.slice(0, 200), p: '[ab]*a[ab]{90}$' }))
    for (const call of ['regexp_matches(t, p)', 'get_or_default(regexp_matches(t, p), 0)'])
      expect(code(() => evaluate(`SELECT (SELECT ${call} AS m FROM xs) AS r FROM '#'`, { xs }))).toBe('RULE_FAILED')
  })
})

describe('a regular expression of the statement', () => {
  test.each([
    ["regexp_matches(x, '[a-z]{500}$')", { x: 'a'.repeat(600) }, true],
    ["regexp_matches(x, '^(.*?),(.*?),(.*?)$')", { x: 'a,b,c' }, true],
    ["regexp_matches(x, 'b{3}$')", { x: `${ab}bb` }, true],
    ["regexp_replace(x, '[^0-9]', '')", { x: 'a1b2'.repeat(500) }, '12'.repeat(500)],
    ["regexp_substr(x, '\\d+')", { x: `${ab.slice(0, 20_000)}42` }, '42'],
  ])('%s works', (call, payload, r) => expect(evaluate(`SELECT ${call} AS r FROM '#'`, payload)).toEqual({ r }))

  test('that is too large is refused when the rule is loaded', () => {
    const sql = (pattern: string) => `SELECT regexp_matches(x, '${pattern}') AS r FROM '#'`
    expect(() => compileStatement(sql('(ab){1000}(cd){1000}(ef){1000}'))).toThrow(/too large.*5000 parts/)
    expect(() => compileStatement(sql('x'.repeat(4_097)))).toThrow(/more than 4096 characters/)
  })

  test('on a text that is too long for it makes the rule fail', () => {
    expect(code(() => evaluate(`SELECT regexp_matches(x, '[a-z]{500}$') AS r FROM '#'`, { x: ab }))).toBe('RULE_FAILED')
  })
})

test.each([
  ['abc', 3],
  ['a{10}', 10],
  ['(ab){10}', 30],
  ['((a{10}){10}){10}', 1_110],
  ['[a-z]{500}$', 501],
  ['a{3,}', 3],
  ['\\{3\\}', 3],
  ['[{3}]{2}', 2],
  ['\\Q{9}\\E', 7],
  ['\\p{Lu}', 21],
])('the size of %s is at most twice %i', (pattern, size) => {
  expect(sizeOf(pattern)).toBeGreaterThanOrEqual(size * 0.9)
  expect(sizeOf(pattern)).toBeLessThanOrEqual(size * 2)
})

test('the bounds of patterns are as documented', () => expect([maxPatternSize, maxSuppliedSize]).toEqual([5_000, 500]))

const numbers = Array.from({ length: 16_000 }, (_, i) => i)

test.each([
  [
    'IN for each row',
    "SET @a = xs SELECT (SELECT VALUE n FROM ys AS n WHERE n IN @a) AS r FROM '#'",
    { xs: numbers, ys: numbers.map((n) => -n - 1).slice(0, 7_000) },
  ],
  [
    'rows of rows',
    "SET @a = xs SELECT (SELECT (SELECT * FROM @a) AS q FROM ys) AS r FROM '#'",
    { xs: numbers, ys: numbers.slice(0, 7_000) },
  ],
  [
    'a cast for each row',
    "SET @a = xs SELECT (SELECT length(cast(@a AS String)) AS q FROM ys) AS r FROM '#'",
    { xs: numbers, ys: numbers.slice(0, 7_000) },
  ],
  [
    'a long text for each row',
    "SET @a = x SELECT (SELECT indexof(@a, 'z') AS q FROM ys) AS r FROM '#'",
    { x: ab, ys: numbers.slice(0, 7_000) },
  ],
  [
    'many long texts',
    `SELECT ${numbers.slice(0, 60).map((i) => `replace(x, 'a', y) AS r${i}`)} FROM '#'`,
    { x: 'a'.repeat(10_000), y: 'b'.repeat(100) },
  ],
  [
    'many slow hashes',
    `SELECT ${numbers.slice(0, 20).map((i) => `md2(replace(x, 'a', y)) AS r${i}`)} FROM '#'`,
    { x: 'a'.repeat(10_000), y: 'b'.repeat(100) },
  ],
  ['the name of a time zone over and over', "SELECT parse_time(p, 0, 'America/Argentina/Salta') AS r FROM '#'", { p: 'z '.repeat(127) }],
  [
    'an output over 1 MiB',
    "SELECT *, replace(x, 'a', y) AS r, replace(x, 'a', y) AS s FROM '#'",
    { x: 'a'.repeat(9_000), y: 'b'.repeat(100) },
  ],
])('%s makes the rule fail instead of stalling the gateway', (_, sql, payload) => {
  expect(code(() => evaluate(sql, payload))).toBe('RULE_FAILED')
})

test('one evaluation does not use up the steps of the next', () => {
  const statement = compileStatement("SELECT regexp_matches(x, '^[a-z]{50}') AS r FROM '#'")
  for (let i = 0; i < 50; i++) expect(evaluate(statement, { x: 'a'.repeat(5_000) })).toEqual({ r: true })
})

test('a text that would be longer than 1 MiB is Undefined', () => {
  expect(evaluate("SELECT replace(x, 'a', x) AS r, replace(x, '', x) AS s FROM '#'", { x: 'a'.repeat(2_000) })).toEqual({})
  expect(maxOutputLength).toBe(1024 * 1024)
})
