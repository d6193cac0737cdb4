import { expect, test } from 'vitest'
import { createArns } from '../../../gateway/access/arn.ts'
import { createAuthorizer } from '../../../gateway/access/authorizer.ts'
import { compilePolicies } from '../../../gateway/access/policy.ts'
import { policyDocumentSchema } from '../../../gateway/access/policy-document.ts'
import type { PolicyContext } from '../../../gateway/access/policy-variables.ts'

const arns = createArns({ region: 'eu-west-1', accountId: '111122223333' })
const on = (kind: string, name: string) => `arn:aws:iot:eu-west-1:111122223333:${kind}/${name}`

const create = (...Statement: readonly unknown[]) => createFor({ clientId: 'c' }, ...Statement)
const createFor = (context: PolicyContext, ...Statement: readonly unknown[]) =>
  createAuthorizer({ policies: compilePolicies([policyDocumentSchema.parse({ Version: '2012-10-17', Statement })]), context }, arns)
const allow = (Action: string | string[], Resource: string, more: object = {}) => ({ Effect: 'Allow', Action, Resource, ...more })

test('each of MQTT’s acts is its own action on its own kind of resource', () => {
  const device = create(
    allow('iot:Connect', on('client', '${iot:ClientId}')),
    allow('iot:Publish', on('topic', 'a/*')),
    allow('iot:Subscribe', on('topicfilter', 'b/#')),
    allow('iot:Receive', on('topic', 'b/*')),
  )
  expect(device.connect({ persistent: false })).toBeUndefined()
  expect(device.publish('a/x', false)).toBeUndefined()
  expect(device.subscribe('b/#')).toBeUndefined()
  expect(device.receive('b/x')).toBeUndefined()
  expect(device.publish('b/x', false)?.code).toBe('NOT_AUTHORIZED')
  expect(device.subscribe('#')?.code).toBe('NOT_AUTHORIZED')
  expect(device.receive('a/x')?.code).toBe('NOT_AUTHORIZED')
})

test('a retained publish needs a second right', () => {
  const device = create(allow('iot:Publish', '*'), allow('iot:RetainPublish', on('topic', 'a')))
  expect(device.publish('a', true)).toBeUndefined()
  expect(device.publish('b', true)?.details).toEqual({ action: 'iot:RetainPublish', decision: 'implicitDeny' })
})

test('a will is authorised at connect', () => {
  const device = create(allow('iot:Connect', '*'), allow('iot:Publish', on('topic', 'will')))
  expect(device.connect({ persistent: true, will: { topic: 'will', retain: false } })).toBeUndefined()
  expect(device.connect({ persistent: true, will: { topic: 'other', retain: false } })?.details.action).toBe('iot:Publish')
  expect(device.connect({ persistent: true, will: { topic: 'will', retain: true } })?.details.action).toBe('iot:RetainPublish')
})

test('what only a CONNECT knows is asked only then', () => {
  const clean = create(
    allow('iot:Connect', '*', { Condition: { 'ForAllValues:StringEquals': { 'iot:ConnectAttributes': ['LastWill'] } } }),
    allow('iot:Publish', '*'),
  )
  const will = { topic: 'w', retain: false }
  expect(clean.connect({ persistent: false, will })).toBeUndefined()
  expect(clean.connect({ persistent: true })?.details.decision).toBe('implicitDeny')
  const named = create(
    allow('iot:Connect', '*', { Condition: { ArnEquals: { 'iot:LastWillTopic': on('topic', 'w') } } }),
    allow('iot:Publish', '*'),
  )
  expect(named.connect({ persistent: false, will })).toBeUndefined()
  expect(named.connect({ persistent: false, will: { ...will, topic: 'v' } })?.code).toBe('NOT_AUTHORIZED')
})

test('a refusal knows its statement', () => {
  const device = create(allow('*', '*'), { Sid: 'no', Effect: 'Deny', Action: 'iot:Publish', Resource: '*' })
  expect(device.publish('a', false)).toMatchObject({
    message: 'iot:Publish: a policy denies it',
    details: { action: 'iot:Publish', decision: 'explicitDeny', policy: 0, statement: 1, sid: 'no' },
  })
})

test.each<[PolicyContext, string, string]>([
  [{ clientId: '+' }, 'my/${iot:ClientId}/topic', 'my/+/topic'],
  [{ clientId: '#' }, 'my/${iot:ClientId}', 'my/#'],
  [{ clientId: 'a/#' }, 'my/${iot:ClientId}', 'my/a/#'],
  [{ clientId: '+/+' }, 'my/${iot:ClientId}/*', 'my/+/+/x'],
  [{ thing: { name: 't', attributes: { site: '#' } } }, 'my/${iot:Connection.Thing.Attributes[site]}', 'my/#'],
  [{ domainName: '+' }, 'my/${iot:DomainName}/topic', 'my/+/topic'],
])('a wildcard that comes from a policy variable grants no subscription: %j', (context, resource, filter) => {
  const device = createFor(context, allow('iot:Subscribe', on('topicfilter', resource)))
  expect(device.subscribe(filter)).toMatchObject({ code: 'NOT_AUTHORIZED', details: { action: 'iot:Subscribe' } })
})

test('a client whose id is a wildcard may subscribe to what its policy spells out', () => {
  const statements = [
    allow('iot:Subscribe', on('topicfilter', 'all/+')),
    allow('iot:Subscribe', on('topicfilter', 'own/${iot:ClientId}/#')),
  ]
  expect(createFor({ clientId: '+' }, ...statements).subscribe('all/+')).toBeUndefined()
  expect(createFor({ clientId: 'f-1' }, ...statements).subscribe('own/f-1/#')).toBeUndefined()
  expect(createFor({ clientId: 'a*?' }, ...statements).subscribe('own/a*?/#')).toBeUndefined()
  expect(createFor({ clientId: '*' }, ...statements).subscribe('own/x/#')?.code).toBe('NOT_AUTHORIZED')
})
