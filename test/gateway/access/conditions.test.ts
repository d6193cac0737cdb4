import { expect, test } from 'vitest'
import { compileCondition, conditionProblem, operatorNames } from '../../../gateway/access/conditions.ts'
import type { PolicyContext } from '../../../gateway/access/policy-variables.ts'

const holds = (operator: string, key: string, values: readonly string[], context: PolicyContext = {}, effect: 'Allow' | 'Deny' = 'Allow') =>
  compileCondition(operator, key, values, effect).holds(context)

/** A connection whose client id is the value under test. */
const actual = (clientId: string): PolicyContext => ({ clientId })

const cases: readonly [operator: string, values: readonly string[], yes: readonly string[], no: readonly string[]][] = [
  ['StringEquals', ['a', 'b*'], ['a', 'b*'], ['A', 'bc', '']],
  ['StringNotEquals', ['a', 'b'], ['c', 'A'], ['a', 'b']],
  ['StringEqualsIgnoreCase', ['Ab'], ['aB', 'ab'], ['b']],
  ['StringNotEqualsIgnoreCase', ['Ab'], ['b'], ['aB']],
  ['StringLike', ['a*', '?z'], ['a', 'abc', 'xz'], ['z', 'A']],
  ['StringLike', ['a${*}'], ['a*'], ['ab']],
  ['StringNotLike', ['a*'], ['b'], ['ab']],
  ['NumericEquals', ['10'], ['10', '10.0', '1e1'], ['11', 'ten', '']],
  ['NumericNotEquals', ['10'], ['11', 'ten'], ['10.0']],
  ['NumericLessThan', ['10'], ['9.9', '-1'], ['10', 'x']],
  ['NumericLessThanEquals', ['10'], ['10'], ['10.1']],
  ['NumericGreaterThan', ['10'], ['10.1'], ['10']],
  ['NumericGreaterThanEquals', ['10'], ['10'], ['9']],
  ['DateEquals', ['2026-01-01T00:00:00Z'], ['1767225600', '2026-01-01T01:00:00+01:00', '2026-01-01'], ['2026-01-02', 'x']],
  ['DateNotEquals', ['2026-01-01'], ['2026-01-02'], ['2026-01-01T00:00Z']],
  ['DateLessThan', ['2026-01-01'], ['2025-12-31'], ['2026-01-01']],
  ['DateLessThanEquals', ['2026'], ['2026-01-01'], ['2026-02']],
  ['DateGreaterThan', ['2026-01-01'], ['2026-01-02'], ['2026-01-01']],
  ['DateGreaterThanEquals', ['2026-01-01'], ['2026-01-01'], ['2025-12-31']],
  ['Bool', ['true'], ['true', 'TRUE'], ['false', 'yes']],
  ['BinaryEquals', ['AQID'], ['AQID'], ['AQIE']],
  ['IpAddress', ['203.0.113.0/24'], ['203.0.113.0', '203.0.113.255', '::ffff:203.0.113.9'], ['203.0.114.0', '::1', 'x']],
  ['IpAddress', ['203.0.113.9', '2001:db8::/32'], ['203.0.113.9', '2001:db8::1'], ['203.0.113.8', '2001:db9::1']],
  ['IpAddress', ['0.0.0.0/0'], ['8.8.8.8'], ['::1']],
  ['NotIpAddress', ['203.0.113.0/24'], ['203.0.114.0'], ['203.0.113.1']],
  ['ArnEquals', ['arn:aws:iot:*:1:topic/a*'], ['arn:aws:iot:eu:1:topic/a:b', 'arn:aws:iot::1:topic/a'], ['arn:aws:iot:eu:2:topic/a', 'a']],
  ['ArnLike', ['arn:aws:iot:eu:?:topic/a:b'], ['arn:aws:iot:eu:1:topic/a:b'], ['arn:aws:iot:eu:12:topic/a:b', 'arn:aws:iot:eu:1:topic/a']],
  ['ArnNotEquals', ['arn:aws:iot:eu:1:topic/a'], ['arn:aws:iot:eu:1:topic/b'], ['arn:aws:iot:eu:1:topic/a']],
  ['ArnNotLike', ['arn:aws:iot:eu:1:*'], ['arn:aws:iot:eu:2:topic/b'], ['arn:aws:iot:eu:1:topic/a']],
]

test.each(cases)('%s %j', (operator, values, yes, no) => {
  for (const text of yes) expect(holds(operator, 'iot:ClientId', values, actual(text)), text).toBe(true)
  for (const text of no) expect(holds(operator, 'iot:ClientId', values, actual(text)), text).toBe(false)
})

test('every operator has a case above', () => {
  expect(new Set([...cases.map(([operator]) => operator), 'Null'])).toEqual(new Set(operatorNames))
})

test('an ARN part does not reach over its colon', () => {
  const like = (text: string) => holds('ArnLike', 'iot:ClientId', ['arn:aws:iot:*:topic/a'], actual(text))
  expect(like('arn:aws:iot:eu:1:topic/a')).toBe(false)
})

test('a missing key fails what asks for a value, and passes what forbids one', () => {
  expect(holds('StringEquals', 'iot:ClientId', ['a'])).toBe(false)
  expect(holds('StringNotEquals', 'iot:ClientId', ['a'])).toBe(true)
  expect(holds('StringEqualsIfExists', 'iot:ClientId', ['a'])).toBe(true)
  expect(holds('StringEqualsIfExists', 'iot:ClientId', ['a'], actual('b'))).toBe(false)
  expect(holds('NotIpAddress', 'aws:SourceIp', ['10.0.0.0/8'])).toBe(true)
  expect(holds('StringEquals', 'iot:NoSuchKey', ['a'])).toBe(false)
})

test('Null asks whether a key is there', () => {
  expect(holds('Null', 'iot:ClientId', ['true'])).toBe(true)
  expect(holds('Null', 'iot:ClientId', ['false'])).toBe(false)
  expect(holds('Null', 'iot:ClientId', ['false'], actual('a'))).toBe(true)
  expect(holds('Null', 'iot:ConnectAttributes', ['true'], { connectAttributes: [] })).toBe(true)
})

const set = (...connectAttributes: string[]): PolicyContext => ({ connectAttributes })

test.each<[operator: string, values: readonly string[], actual: readonly string[], expected: boolean]>([
  ['ForAllValues:StringEquals', ['a', 'b'], [], true],
  ['ForAllValues:StringEquals', ['a', 'b'], ['a'], true],
  ['ForAllValues:StringEquals', ['a', 'b'], ['a', 'c'], false],
  ['ForAllValues:StringEquals', [], ['a'], false],
  ['ForAllValues:StringNotEquals', ['a'], ['b', 'c'], true],
  ['ForAllValues:StringNotEquals', ['a'], ['a', 'c'], false],
  ['ForAnyValue:StringEquals', ['a'], [], false],
  ['ForAnyValue:StringEquals', ['a'], ['b', 'a'], true],
  ['ForAnyValue:StringNotEquals', ['a'], ['a'], false],
  ['ForAnyValue:StringNotEquals', ['a'], ['a', 'b'], true],
  ['ForAnyValue:StringLikeIfExists', ['a*'], [], true],
  ['StringEquals', ['a'], ['b', 'a'], true],
  ['StringNotEquals', ['a'], ['b', 'a'], false],
])('%s %j against the set %j is %j', (operator, values, actuals, expected) => {
  expect(holds(operator, 'iot:ConnectAttributes', values, set(...actuals))).toBe(expected)
})

test('an unresolved variable never gives more access', () => {
  const value = ['${iot:Connection.Thing.ThingName}']
  expect(holds('StringEquals', 'iot:ClientId', value, actual('${iot:Connection.Thing.ThingName}'))).toBe(false)
  expect(holds('StringNotEquals', 'iot:ClientId', value, actual('a'), 'Allow')).toBe(false)
  expect(holds('StringNotEquals', 'iot:ClientId', value, actual('a'), 'Deny')).toBe(true)
})

test('a condition on the time is read again each time', () => {
  let now = Date.UTC(2026, 0, 1)
  const condition = compileCondition('DateLessThan', 'aws:CurrentTime', ['2026-01-02T00:00:00Z'], 'Allow')
  expect(condition.volatile).toBe(true)
  expect(condition.holds({ now: () => now })).toBe(true)
  now += 86_400_000
  expect(condition.holds({ now: () => now })).toBe(false)
  expect(compileCondition('NumericGreaterThan', 'aws:EpochTime', ['0'], 'Allow').holds({ now: () => now })).toBe(true)
})

test.each<[operator: string, value: string, problem: string | undefined]>([
  ['StringEqual', 'a', 'condition operator StringEqual does not exist; did you mean StringEquals?'],
  ['ForAllValue:StringEquals', 'a', 'condition operator ForAllValue:StringEquals does not exist'],
  ['NullIfExists', 'true', 'condition operator NullIfExists does not exist'],
  ['toString', 'a', 'condition operator toString does not exist'],
  ['IpAddress', '10.0.0.0/33', '"10.0.0.0/33" is not a value for IpAddress'],
  ['NotIpAddress', '10.0.0', '"10.0.0" is not a value for NotIpAddress'],
  ['DateEquals', 'yesterday', '"yesterday" is not a value for DateEquals'],
  ['NumericEquals', 'x', '"x" is not a value for NumericEquals'],
  ['ArnLike', 'topic/a', '"topic/a" is not a value for ArnLike'],
  ['Bool', 'yes', '"yes" is not a value for Bool'],
  ['Null', 'maybe', '"maybe" is not a value for Null'],
  ['BinaryEquals', '%', '"%" is not a value for BinaryEquals'],
  ['IpAddress', '${aws:SourceIp}', undefined],
  ['ForAnyValue:StringLikeIfExists', '*', undefined],
])('%s of %j: %j', (operator, value, problem) => {
  expect(conditionProblem(operator, [value])).toBe(problem)
})
