import { describe, expect, test } from 'vitest'
import { bytesOf } from '../../../../gateway/message/body.ts'
import { createScope } from '../../../../gateway/rules/sql/scope.ts'
import { compileStatement, type StatementOptions } from '../../../../gateway/rules/sql/statement.ts'
import { compileTemplate } from '../../../../gateway/rules/sql/template.ts'
import { fastPaths } from '../../../helpers/fast-paths.ts'
import { createMessage } from '../../../helpers/message.ts'

const environment = { accountId: '123456789012' }

function run(sql: string, payload: string | object = {}, options: StatementOptions = {}): string | undefined {
  const body = compileStatement(sql, { fastPaths, ...options }).evaluate(createScope(createMessage(payload), environment))
  return body && bytesOf(body).toString()
}

const refusal = (sql: string, options: StatementOptions = {}) => expect(() => compileStatement(sql, options))

describe('the output', () => {
  test.each([
    ["SELECT *, 15 AS speed FROM 'a'", '{"a":1}', '{"a":1,"speed":15}'],
    ["SELECT *, 2 AS a FROM 'a'", '{"a":1}', '{"a":2}'],
    ["SELECT *, missing AS a FROM 'a'", '{"a":1}', '{"a":1}'],
    ["SELECT *, missing AS a FROM 'a'", '{}', '{}'],
    ["SELECT *, 1 AS b, topic(2) AS t FROM 'a'", '{}', '{"b":1,"t":"line"}'],
    ["SELECT *, 1 AS b, 2 AS a FROM 'a'", '{"a":0,"c":3}', '{"a":2,"c":3,"b":1}'],
    ["SELECT *, 1 AS b FROM 'a'", '{"__proto__":2,"7":1}', '{"7":1,"__proto__":2,"b":1}'],
    ["SELECT * AS m FROM 'a'", '{"a":1}', '{"m":{"a":1}}'],
    ["SELECT a AS x.y, b AS x.z FROM 'a'", '{"a":1,"b":2}', '{"x":{"y":1,"z":2}}'],
    ["SELECT *, 1 AS a.b FROM 'a'", '{"a":{"c":2}}', '{"a":{"c":2,"b":1}}'],
    ["SELECT a.b, upper(c), @v FROM 'a'", '{"a":{"b":1},"c":"x"}', '{"b":1,"upper":"X","v":5}'],
    ["SELECT * FROM 'a'", 'not json', 'not json'],
    ["SELECT * FROM 'a'", '', ''],
    ["SELECT *, topic() AS t FROM 'a'", '', '{"t":"dt/line/7"}'],
    ["SELECT *, 1 AS x FROM 'a'", '[1]', '{"x":1}'],
    ["SELECT * FROM 'a'", '[1, 2]', '[1,2]'],
    ["SELECT VALUE missing FROM 'a'", '{}', ''],
    ["SELECT VALUE [missing, 1] FROM 'a'", '{}', '[null,1]'],
    ["SELECT VALUE (SELECT VALUE x FROM l) FROM 'a'", '{"l":[{"x":1},{},{"x":3}]}', '[1,3]'],
    ["SELECT VALUE (SELECT l.x AS y FROM l AS l) FROM 'a'", '{"l":[{"x":1}]}', '[{"y":1}]'],
    ["SELECT a FROM 'a'", '{"__proto__":{"a":1}}', '{}'],
    ["SELECT * FROM 'a'", '{"__proto__":{"a":1},"b":10.0}', '{"__proto__":{"a":1},"b":10}'],
    ["SELECT constructor, length FROM 'a'", '{"length":3}', '{"length":3}'],
    ["SELECT a FROM 'a'", '{"a":0.1234567890123456789}', '{"a":0.1234567890123456789}'],
    ["SELECT VALUE 7 / 2 FROM 'a'", '{}', '3'],
    ["SELECT VALUE '7' / 2 FROM 'a'", '{}', '3.5'],
    ["SELECT VALUE -7 / 2 FROM 'a'", '{}', '-3'],
    ["SELECT VALUE 1 / 0 FROM 'a'", '{}', ''],
    ["SELECT VALUE 0.1 + 0.2 FROM 'a'", '{}', '0.3'],
    ["SELECT VALUE 1.1 * 1.1 FROM 'a'", '{}', '1.21'],
    ["SELECT VALUE 2.5 / 3.5 FROM 'a'", '{}', '0.7142857142857142857142857142857143'],
    ["SELECT VALUE 99999999999999999999 * 10 FROM 'a'", '{}', '999999999999999999990'],
  ])('%s on %s', (sql, payload, output) => {
    expect(run(sql.includes('@v') ? `SET @v = 5 ${sql}` : sql, payload)).toBe(output)
  })
})

describe('2015-10-08', () => {
  const old = { version: '2015-10-08' } as const

  test.each([
    ["SELECT VALUE cast(a AS String) FROM 'a'", '{"a":10.0}', '"10.0"'],
    ["SELECT VALUE a / 4 FROM 'a'", '{"a":10.0}', '2.5'],
    ["SELECT VALUE a / 4 FROM 'a'", '{"a":10}', '2'],
    ["SELECT VALUE (0.5 + 0.5) / 2 FROM 'a'", '{}', '0.5'],
  ])('%s on %s is %s', (sql, payload, output) => {
    expect(run(sql, payload, old)).toBe(output)
  })

  test.each(['{} AS x', '[1] AS x', '(SELECT a FROM b) AS x', 'isUndefined(a)', 'cast(a AS Decimal)', 'length(a)'])(
    'refuses %s',
    (items) => {
      refusal(`SELECT ${items} FROM 'a'`, old).toThrow(/needs awsIotSqlVersion 2016-03-23/)
    },
  )
})

describe('refused when compiled', () => {
  test.each([
    ["SELECT temprature( a ) FROM 'a'", /function temprature does not exist/],
    ["SELECT substr(a, 1) FROM 'a'", /function substr does not exist/],
    ["SELECT lenght(a) FROM 'a'", /Did you mean length\?/],
    ["SELECT cast(a AS Strng) FROM 'a'", /cast knows no type Strng.*Did you mean string\?/],
    ["SELECT @a FROM 'a'", /@a is not set/],
    ['SET @a = @b, @b = 1 SELECT @a', /@b is not set/],
    ["SELECT a + 1 FROM 'a'", /give it one with AS/],
    ["SELECT a FROM 'a/#/b'", /line 1, column 15: the topic filter is not valid: # may only be the whole last level/],
    ["SELECT upper(*) FROM 'a'", /does not take \*/],
    ["SELECT get_thing_shadow('t', 'r').state FROM 'a'", /no resolver for it is configured/],
    ["SELECT decode(*, 'proto', 'b', 'k', 'p', 'm') FROM 'a'", /protobuf/],
    ["SELECT regexp_matches(a, '(?=x)') FROM 'a'", /lookahead/],
    ["SELECT regexp_matches(a, '(x)\\1') FROM 'a'", /backreferences/],
  ])('%s', (sql, reason) => {
    refusal(sql).toThrow(reason)
  })
})

test('what AWS would take differently is a warning', () => {
  const { warnings } = compileStatement("SELECT CASE a WHEN b THEN 1 END AS x, abs() FROM '1/2/3/4/5/6/7/8/9'")
  expect(warnings).toEqual([
    'topics in AWS IoT Core have at most 7 slashes, so this FROM never matches there',
    'AWS IoT takes only constants behind WHEN',
    'abs takes 1 argument, so this call is always Undefined',
  ])
})

describe('external functions', () => {
  const resolvers = {
    get_thing_shadow: ([thing]: readonly unknown[]) => ({ state: { thing: String(thing) } }),
    aws_lambda: () => {
      throw new Error('not there')
    },
    get_dynamodb: () => 1,
  }

  test('are answered by their resolver', () => {
    expect(run("SELECT get_thing_shadow(a, 'role').state.thing FROM 'a'", { a: 't1' }, { resolvers })).toBe('{"thing":"t1"}')
  })

  test('fail the rule, unless get_or_default catches it', () => {
    expect(() => run("SELECT aws_lambda('f', a) FROM 'a'", {}, { resolvers })).toThrow('the function aws_lambda failed')
    expect(run("SELECT get_or_default(aws_lambda('f', a), 'd') AS x FROM 'a'", {}, { resolvers })).toBe('{"x":"d"}')
  })

  test('are counted as AWS counts them', () => {
    const call = "get_dynamodb('t', 'k', 'v', 'r')"
    refusal(`SELECT ${call} AS x, ${call} AS y FROM 'a'`, { resolvers }).toThrow(/at most once/)
  })
})

describe('what follows from the message is the same on a replay', () => {
  test('newuuid, rand, timestamp', () => {
    const sql = "SELECT newuuid() AS a, newuuid() AS b, rand() AS c, timestamp() AS t FROM 'a'"
    const first = JSON.parse(run(sql)!) as { a: string; b: string }
    expect(JSON.parse(run(sql)!)).toEqual(first)
    expect(first.a).not.toBe(first.b)
    expect(first.a).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  })

  test('SET is evaluated once, for the statement and its templates', () => {
    const statement = compileStatement("SET @id = newuuid() SELECT @id AS a, @id AS b FROM 'a'", { fastPaths })
    const scope = createScope(createMessage(), environment)
    const { a, b } = JSON.parse(bytesOf(statement.evaluate(scope)!).toString()) as { a: string; b: string }
    expect([b, compileTemplate('${@id}', { statement })(scope)]).toEqual([a, a])
  })
})

describe('templates', () => {
  const value = (text: string, payload: object = {}) => compileTemplate(text)(createScope(createMessage(payload), environment))

  test.each([
    ['plain', 'plain'],
    ['a$b{c}', 'a$b{c}'],
    ['${topic(2)}/${a}', 'line/1'],
    ["${get({'}': 'brace'}, '}')}!", 'brace!'],
    ['${ a + 1 }', '2'],
    ['$${a}', '$1'],
  ])('%s', (text, result) => {
    expect(value(text, { a: 1 })).toBe(result)
  })

  test('without a value they fail', () => {
    expect(() => value('x/${missing}')).toThrow('the template ${missing} has no value for this message')
  })

  test.each(['${', '${a', '${}', '${a b}', '${@x}'])('%s is refused', (text) => {
    expect(() => compileTemplate(text)).toThrow(/line 1, column \d+/)
  })
})
