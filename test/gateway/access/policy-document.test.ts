import { expect, test } from 'vitest'
import { parsePolicyDocument } from '../../../gateway/access/policy-document.ts'

const statement = { Effect: 'Allow', Action: 'iot:Connect', Resource: '*' }
const document = (Statement: unknown) => ({ Version: '2012-10-17', Statement })
const messageOf = (value: unknown): string => {
  try {
    parsePolicyDocument(value, 'p.json')
  } catch (error) {
    return (error as Error).message
  }
  return ''
}

test('statement, action and resource may be one or a list', () => {
  expect(parsePolicyDocument(document(statement), 'p.json').Statement).toEqual(statement)
  const many = [{ ...statement, Action: ['iot:Connect', 'iot:*'], Resource: ['*', 'arn:aws:iot:eu-west-1:1:client/${iot:ClientId}'] }]
  expect(parsePolicyDocument(document(many), 'p.json').Statement).toEqual(many)
})

test('condition values may be JSON numbers and booleans', () => {
  expect(messageOf(document({ ...statement, Condition: { Bool: { 'iot:Connection.Thing.IsAttached': true } } }))).toBe('')
  expect(messageOf(document({ ...statement, Condition: { NumericLessThan: { 'aws:EpochTime': [1] } } }))).toBe('')
})

test.each<[what: string, value: unknown, says: RegExp]>([
  ['no object', 7, /^p\.json: .*expected object/],
  ['an old version', { ...document(statement), Version: '2008-10-17' }, /Version.*expected "2012-10-17"/],
  ['no statement', { Version: '2012-10-17' }, /Statement/],
  ['an empty list', document([]), /Statement.*at least one/],
  ['an unknown effect', document([{ ...statement, Effect: 'Permit' }]), /Effect.*Allow, Deny/],
  ['a misspelt key', document([{ ...statement, Resorce: '*' }]), /Resorce/],
  ['a principal', document([{ ...statement, Principal: '*' }]), /Principal/],
  ['no action', document([{ Effect: 'Allow', Resource: '*' }]), /expected either Action or NotAction/],
  ['both resources', document([{ ...statement, NotResource: '*' }]), /expected either Resource or NotResource/],
  ['an action without service', document([{ ...statement, Action: 'Connect' }]), /expected an action such as iot:Publish/],
  ['a topic for an ARN', document([{ ...statement, Resource: 'dt/a' }]), /expected \* or an ARN/],
  ['an unknown operator', document([{ ...statement, Condition: { StringIs: { a: 'b' } } }]), /condition operator StringIs does not exist/],
  [
    'a bad address',
    document([{ ...statement, Condition: { IpAddress: { 'aws:SourceIp': '1.2.3' } } }]),
    /"1\.2\.3" is not a value for IpAddress/,
  ],
  ['too long', document([{ ...statement, Resource: `arn:${'a'.repeat(2_048)}` }]), /2048 characters at most/],
])('%s is refused', (_what, value, says) => {
  expect(messageOf(value)).toMatch(says)
})

test('white space in a document does not count', () => {
  expect(messageOf(document([{ ...statement, Sid: ' '.repeat(4_096) }]))).toBe('')
})
