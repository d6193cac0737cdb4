import { describe, expect, test } from 'vitest'
import { GatewayError } from '../../../../gateway/errors.ts'
import { maxStatementLength, parseStatement } from '../../../../gateway/rules/sql/parse.ts'

function refusal(sql: string): string {
  try {
    parseStatement(sql)
  } catch (error) {
    expect(error).toBeInstanceOf(GatewayError)
    expect((error as GatewayError).code).toBe('SQL_INVALID')
    return (error as GatewayError).message
  }
  throw new Error(`${sql} parses`)
}

describe('a statement that does not parse is refused with place, expectation and hint', () => {
  test.each([
    ['', 'line 1, column 1: expected SELECT, found the end of the statement'],
    ['SELCT a', 'line 1, column 1: expected SELECT, found "SELCT". Did you mean SELECT?'],
    ["SELECT FROM 'a'", 'line 1, column 8: expected an expression, found "FROM"'],
    ["SELECT a FORM 'a'", 'line 1, column 10: expected the end of the statement, found "FORM". Did you mean FROM?'],
    ['SELECT *\nFROM a/b', 'line 2, column 6: expected a topic filter in quotes, found "a"'],
    ["SELECT * FROM 'a' -- all", 'line 1, column 19: comments are not supported'],
    ["SELECT * /* all */ FROM 'a'", 'line 1, column 10: comments are not supported'],
    ["SELECT a != 1 AS x FROM 'a'", "line 1, column 10: expected an operator; 'not equal' is written <>"],
    ["SELECT a[0] FROM 'a'", 'line 1, column 9: an element of an array is written get(array, index)'],
    ["SELECT 'open FROM a", "line 1, column 8: the string that starts here has no closing '"],
    ["SELECT VALUE a, b FROM 'a'", 'line 1, column 17: SELECT VALUE takes one item'],
    ["SELECT a FROM 'a' WHERE b IS NULL", 'IS is not part of AWS IoT SQL here; AWS IoT SQL has isNull(x)'],
    ["SELECT a FROM 'a' WHERE b NOT IN c", 'write NOT (x IN array)'],
    ["SELECT a FROM 'a' WHERE b IN (1, 2)", 'line 1, column 30: a list of values is written in brackets: [1, 2]'],
    ["SELECT a FROM 'a' WHERE b IN (1)", 'line 1, column 30: a list of values is written in brackets: [1, 2]'],
    ["SELECT a FROM 'a' WHERE b IN (-1) AND c", 'column 30: a list of values is written in brackets'],
    ["SELECT a FROM 'a' WHERE b IN ('x')", 'column 30: a list of values is written in brackets'],
    ["SELECT a FROM 'a' WHERE b IN ()", 'column 30: a list of values is written in brackets'],
    ["SELECT b IN (1, 2) AS c FROM 'a'", 'column 13: a list of values is written in brackets'],
    ["SELECT a FROM 'a' WHERE b IN [1, 2,]", 'column 36: expected another element after the comma, found "]"'],
    ["SELECT max(a,) FROM 'a'", 'expected another element after the comma, found ")"'],
    ["SELECT a FROM 'a' IN (1, 2)", 'column 19: IN is not part of AWS IoT SQL here; write WHERE x IN array'],
    ["SELECT CASE WHEN a THEN b END FROM 'a'", 'only CASE value WHEN constant THEN result exists'],
    ['SET @a = 1, @a = 2 SELECT @a', 'line 1, column 13: @a is set twice'],
    ['SET @a = 1 SET @b = 2 SELECT @a', 'line 1, column 12: a statement has one SET'],
    [`SET @${'v'.repeat(65)} = 1 SELECT 1 AS a`, 'a variable is @ and 1 to 64 letters'],
    ["SELECT 1a FROM 'a'", 'a name cannot start with a digit'],
    ['SELECT a;', 'line 1, column 9: a statement ends without a semicolon'],
    ['SELECT é', 'unexpected character "é"'],
  ])('%s', (sql, message) => {
    expect(refusal(sql)).toContain(message)
  })
})

describe('bounds', () => {
  test('length', () => expect(refusal(`SELECT ${'a'.repeat(maxStatementLength)}`)).toContain('at most 65536 characters'))
  test('nesting', () => expect(refusal(`SELECT ${'('.repeat(5_000)}a${')'.repeat(5_000)} AS x`)).toContain('nest at most 64 deep'))
  test('NOT', () => expect(refusal(`SELECT ${'NOT '.repeat(5_000)}a AS x`)).toContain('nest at most 64 deep'))
  test('minus', () => expect(refusal(`SELECT ${'- '.repeat(5_000)}a AS x`)).toContain('nest at most 64 deep'))
  test('operands', () => expect(refusal(`SELECT ${'a+'.repeat(5_000)}a AS x`)).toContain('at most 1000 operators'))
  test('paths', () => expect(refusal(`SELECT ${'a.'.repeat(5_000)}a AS x`)).toContain('at most 64 members'))
})

test.each([
  'value',
  'value, a',
  'VALUE value',
  'value - 1 AS x',
  'VALUE -1',
  'value * 2 AS x',
  'VALUE *',
  'value AS v',
  'timestamp',
  'set',
])('value is a key where it cannot be the keyword: SELECT %s', (items) => {
  const { select } = parseStatement(`SELECT ${items} FROM 'a'`)
  expect(select.value).toBe(items.startsWith('VALUE'))
})
