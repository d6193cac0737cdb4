import { expect, test } from 'vitest'
import { accessSchema, createAccess } from '../../../gateway/access/access.ts'
import type { Source } from '../../../gateway/message.ts'

const source: Source = { clientId: 'freezer-1', transport: 'mqtt' }
const access = createAccess(accessSchema.parse({}))
const publish = (topic: string, bytes = 10, qos: 0 | 1 | 2 = 1) => access.publish(source, { topic, bytes, qos })

test.each([
  ['a plain topic', 'dt/coldchain/acme/truck-1/freezer-1/telemetry'],
  ['eight levels', 'a/b/c/d/e/f/g/h'],
  ['256 bytes', 'x'.repeat(256)],
  ['Basic Ingest, whose prefix does not count', '$aws/rules/telemetry/a/b/c/d/e/f/g/h'],
  ['Basic Ingest without a rest', '$aws/rules/telemetry'],
])('%s is allowed', (_, topic) => expect(() => publish(topic)).not.toThrow())

test.each([
  ['nine levels', () => publish('a/b/c/d/e/f/g/h/i'), 'TOPIC_INVALID'],
  ['257 bytes', () => publish('x'.repeat(257)), 'TOPIC_INVALID'],
  ['129 characters of two bytes', () => publish('é'.repeat(129)), 'TOPIC_INVALID'],
  ['U+0000', () => publish('a\0b'), 'TOPIC_INVALID'],
  ['a reserved topic', () => publish('$aws/things/x/shadow/get'), 'TOPIC_INVALID'],
  ['a payload over 128 KB', () => publish('a', 131_073), 'PAYLOAD_TOO_LARGE'],
  ['QoS 2', () => publish('a', 1, 2), 'QOS_NOT_SUPPORTED'],
  ['$SYS', () => access.subscribe(source, '$SYS/#'), 'NOT_AUTHORIZED'],
  ['a shared subscription', () => access.subscribe(source, '$share/g/a'), 'NOT_AUTHORIZED'],
])('%s is refused', (_, attempt, code) => expect(attempt).toThrow(expect.objectContaining({ code })))

test('the tenant comes from the identity, else from its topic level, never from elsewhere', () => {
  expect(access.tenantOf(source, 'dt/coldchain/acme/x')).toBe('acme')
  expect(access.tenantOf({ ...source, tenant: 'borealis' }, 'dt/coldchain/acme/x')).toBe('borealis')
  expect(access.tenantOf(source, 'dt/coldchain')).toBeUndefined()
  expect(createAccess(accessSchema.parse({ tenantTopicLevel: null })).tenantOf(source, 'a/b/c')).toBeUndefined()
})
