import { expect, test } from 'vitest'
import { groupFieldOf } from '../../../gateway/rules/group-field.ts'
import { parseStatement } from '../../../gateway/rules/sql/parse.ts'

const found = (select: string, template = '${topic(3)}') => groupFieldOf(template, parseStatement(`SELECT ${select} FROM 'a'`))

test.each([
  ['*, topic(3) AS tenant', '${topic(3)}'],
  ['*, topic( 3 ) AS tenant', '${ topic(3) }'],
  ['1 AS tenant, topic(3) AS tenant', '${topic(3)}'],
])('SELECT %s has %s in a field', (select, template) => {
  expect(found(select, template)).toEqual({ expression: 'topic(3)', field: 'tenant' })
})

test.each([
  ['another expression', '*, topic(4) AS tenant'],
  ['no name', 'topic(3)'],
  ['a name within another', '*, topic(3) AS a.b'],
  ['a * behind it, which brings what the device wrote', 'topic(3) AS tenant, *'],
  ['the same name behind it', 'topic(3) AS tenant, name AS tenant'],
])('%s: no field', (_, select) => expect(found(select)).toEqual({ expression: 'topic(3)' }))

test.each(['a-${topic(3)}', '${topic(3)}-a', '${topic(2)}${topic(3)}', 'all'])('%s is not one expression', (template) => {
  expect(found('*, topic(3) AS tenant', template)).toEqual({})
})
