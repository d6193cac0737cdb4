import { expect, test } from 'vitest'
import { bytesOf } from '../../../../gateway/message/body.ts'
import { isFixed, keysIn } from '../../../../gateway/rules/sql/dependencies.ts'
import { families } from '../../../../gateway/rules/sql/functions/index.ts'
import type { FunctionTable } from '../../../../gateway/rules/sql/functions/table.ts'
import { parseStatement } from '../../../../gateway/rules/sql/parse.ts'
import { createScope } from '../../../../gateway/rules/sql/scope.ts'
import { compileStatement } from '../../../../gateway/rules/sql/statement.ts'
import { createMessage } from '../../../helpers/message.ts'

const expressionOf = (sql: string) => parseStatement(`SELECT VALUE ${sql} FROM 'a'`).select.items[0]!.expression

test.each([
  ["'text'", true],
  ['topic()', true],
  ['topic(2)', true],
  ['upper(topic(2))', true],
  ["CASE topic(1) WHEN 'a' THEN -1 ELSE [topic(2), {'k': 1 + 2}] END", true],
  ['a', false],
  ['upper(a)', false],
  ['timestamp()', false],
  ['concat(topic(1), clientid())', false],
  ['newuuid()', false],
  ["get_secret('s', 'SecretString', 'r')", false],
  ["encode(*, 'base64')", false],
  ['(SELECT v FROM topic(1))', false],
  ['no_such_function(1)', false],
])('%s is the same for every message of a topic: %s', (sql, expected) => expect(isFixed(expressionOf(sql))).toBe(expected))

test.each([
  ['1', []],
  ['topic(2)', []],
  ['timestamp()', []],
  ['a.b + upper(c)', ['a', 'c']],
  ['CASE a WHEN 1 THEN b ELSE c END', ['a', 'b', 'c']],
  ["[a, {'k': b}, NOT c, cast(d AS String)]", ['a', 'b', 'c', 'd']],
  ['*', undefined],
  ["get(*, 'a')", undefined],
  ['@v', undefined],
  ['(SELECT a FROM b)', undefined],
  ['EXISTS (SELECT a FROM b)', undefined],
])('%s reads the keys %j', (sql, keys) => expect(keysIn(expressionOf(sql))).toEqual(keys))

const rows = Object.values(families).flatMap((family: FunctionTable) => Object.entries(family))
const examples = rows.flatMap(([, { dependsOn, examples }]) => examples.map(([call]) => ({ call, dependsOn })))

test.each(examples)('$call depends on $dependsOn', ({ call, dependsOn }) => {
  const statement = compileStatement(`SELECT VALUE ${call} FROM '#'`, { fastPaths: false })
  const on = (topic: string, number: number) => {
    const source = { clientId: `c-${number}`, transport: 'mqtt', principal: `p-${number}`, sourceIp: `10.0.0.${number}` } as const
    const properties = {
      contentType: `t-${number}`,
      payloadFormatIndicator: number === 1,
      userProperties: [['absent', `${number}`]] as const,
    }
    const message = { ...createMessage({ number }), id: `id-${number}`, topic, receivedAt: number, source, properties }
    const body = statement.evaluate(createScope(message, { accountId: `${number}`.padStart(12, '0') }))
    return body && bytesOf(body).toString()
  }
  if (dependsOn !== 'message') expect(on('a/b/c', 1)).toBe(on('a/b/c', 2))
  if (dependsOn === 'arguments') expect(on('a/b/c', 1)).toBe(on('d/e/f', 1))
})

test('only a row that depends on the message may differ between two messages of a topic', () => {
  const names = rows.filter(([, { dependsOn }]) => dependsOn === 'message').map(([name]) => name)
  expect(names).toEqual(expect.arrayContaining(['clientid', 'newuuid', 'principal', 'rand', 'sourceip', 'timestamp', 'traceid']))
})
