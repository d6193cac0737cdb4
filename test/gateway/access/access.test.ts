import { expect, test } from 'vitest'
import { type Caller, createAccess } from '../../../gateway/access/access.ts'
import { compilePolicies } from '../../../gateway/access/policy.ts'
import { policyDocumentSchema } from '../../../gateway/access/policy-document.ts'
import { noThings, type Things } from '../../../gateway/access/things.ts'
import { createTestAccess, testArns } from '../../helpers/access.ts'
import { createManualClock, settled } from '../../helpers/manual-clock.ts'
import { createSpyObserve } from '../../helpers/spy-observe.ts'

const here: Caller = { transport: 'mqtt', loopback: true, sourceIp: '127.0.0.1' }
const enter = (config: object = {}) => createTestAccess(config, createSpyObserve()).enter(here)
const publish = (topic: string, payloadBytes = 10, qos = 1) => ({ topic, payloadBytes, qos })

test.each([
  ['a plain topic', 'dt/coldchain/acme/truck-1/freezer-1/telemetry'],
  ['eight levels', 'a/b/c/d/e/f/g/h'],
  ['256 bytes', 'x'.repeat(256)],
  ['Basic Ingest, whose prefix does not count', '$aws/rules/telemetry/a/b/c/d/e/f/g/h'],
  ['Basic Ingest without a rest', '$aws/rules/telemetry'],
])('%s is allowed', async (_, topic) => expect((await enter()).publish(publish(topic))).toBeUndefined())

test.each([
  ['nine levels', publish('a/b/c/d/e/f/g/h/i'), 'TOPIC_INVALID'],
  ['257 bytes', publish('x'.repeat(257)), 'TOPIC_INVALID'],
  ['129 characters of two bytes', publish('é'.repeat(129)), 'TOPIC_INVALID'],
  ['U+0000', publish('a\0b'), 'TOPIC_INVALID'],
  ['a reserved topic', publish('$aws/things/x/shadow/get'), 'TOPIC_INVALID'],
  ['a payload over 128 KB', publish('a', 131_073), 'PAYLOAD_TOO_LARGE'],
  ['QoS 2', publish('a', 1, 2), 'QOS_NOT_SUPPORTED'],
])('%s is refused', async (_, asked, code) => expect((await enter()).publish(asked)?.code).toBe(code))

test.each(['$SYS/#', '$aws/rules/a'])('nobody may subscribe to %s', async (filter) => {
  expect((await enter()).subscribe([filter])[0]?.code).toBe('TOPIC_INVALID')
})

test('the tenant is a level of the topic, until an identity says otherwise', async () => {
  expect((await enter()).tenantOf('dt/coldchain/acme/truck-1')).toBe('acme')
  expect((await enter()).tenantOf('dt/coldchain')).toBeUndefined()
  expect((await enter({ tenantTopicLevel: null })).tenantOf('a/b/c')).toBeUndefined()
})

test('a limit that refuses is counted under its name', async () => {
  const observe = createSpyObserve()
  const session = await createTestAccess({ limits: { publishesPerSecond: 1 } }, observe).enter(here)
  expect([session.publish(publish('a')), session.publish(publish('a'))].map((refused) => refused?.code)).toEqual([
    undefined,
    'RATE_EXCEEDED',
  ])
  expect(observe.of('limit.exceeded')).toEqual([{ limit: 'publishesPerSecond', code: 'RATE_EXCEEDED' }])
})

test('a client that connects again in the same second waits for the next one; a crowd of itself is refused', async () => {
  const clock = createManualClock()
  const access = createAccess(
    { anonymous: 'loopback', limits: 'aws', tenantTopicLevel: 3 },
    { clock, observe: createSpyObserve(), arns: testArns },
  )
  const connect = () => access.connect(here, { clientId: 'f-1', persistent: false })
  await connect()
  const second = connect()
  await settled()
  await clock.advance(1_000)
  await expect(second).resolves.toMatchObject({ source: { clientId: 'f-1' } })
  const crowd = Promise.allSettled(Array.from({ length: 5 }, connect))
  await settled()
  for (let i = 0; i < 4; i++) await clock.advance(1_000)
  expect((await crowd).map(({ status }) => status).filter((status) => status === 'rejected')).toHaveLength(3)
})

test('a policy is asked at connect, publish, subscribe and delivery', async () => {
  const on = (resource: string) => `arn:aws:iot:us-east-1:123456789012:${resource}`
  const policies = compilePolicies([
    {
      Version: '2012-10-17',
      Statement: [
        { Effect: 'Allow', Action: 'iot:Connect', Resource: on('client/f-1') },
        { Effect: 'Allow', Action: ['iot:Publish', 'iot:Receive'], Resource: on('topic/a/*') },
        { Effect: 'Allow', Action: 'iot:Subscribe', Resource: on('topicfilter/a/*') },
        { Effect: 'Deny', Action: 'iot:Receive', Resource: on('topic/a/secret') },
      ],
    },
  ])
  const things: Things = { ...noThings, user: (name) => ({ name, hash: '', policies: [] }), policiesOf: () => policies }
  const verifier = { verify: async () => true }
  const access = createTestAccess({ anonymous: 'off' }, createSpyObserve(), { things: () => things, verifier })
  const caller = { ...here, username: 'dev', password: 'x' }
  await expect(access.connect(caller, { clientId: 'f-2', persistent: false })).rejects.toMatchObject({ code: 'NOT_AUTHORIZED' })
  const will = { topic: 'b', retain: false, qos: 1, payloadBytes: 1 }
  await expect(access.connect(caller, { clientId: 'f-1', persistent: false, will })).rejects.toMatchObject({ code: 'NOT_AUTHORIZED' })
  const relaxed = createTestAccess({ limits: 'none' }, createSpyObserve(), { things: () => things, verifier })
  const session = await relaxed.connect(caller, { clientId: 'f-1', persistent: false })
  const codes = [session.publish(publish('a/b')), session.publish(publish('b')), session.maySubscribe('a/#'), session.maySubscribe('#')]
  expect(codes.map((refused) => refused?.code)).toEqual([undefined, 'NOT_AUTHORIZED', undefined, 'NOT_AUTHORIZED'])
  expect([session.receive('a/b', 1), session.receive('a/secret', 1)].map((refused) => refused?.code)).toEqual([undefined, 'NOT_AUTHORIZED'])
})

/** Users `dev` and `other`, with the password `right`; `dev` may connect as f-1, `other` as anything but. */
const withUsers = (clock = createManualClock(), config: object = {}) => {
  const on = (resource: string) => `arn:aws:iot:us-east-1:123456789012:${resource}`
  const mayConnect = (Statement: object[]) => compilePolicies([policyDocumentSchema.parse({ Version: '2012-10-17', Statement })])
  const policies = {
    dev: mayConnect([{ Effect: 'Allow', Action: '*', Resource: '*' }]),
    other: mayConnect([
      { Effect: 'Allow', Action: '*', Resource: '*' },
      { Effect: 'Deny', Action: 'iot:Connect', Resource: on('client/f-1') },
    ]),
  }
  let known: readonly string[] = ['dev', 'other']
  const things = (): Things => ({
    ...noThings,
    user: (name) => (known.includes(name) ? { name, hash: '', policies: [] } : undefined),
    policiesOf: (principal) => policies[principal as keyof typeof policies],
  })
  let registry = things()
  const access = createTestAccess({ anonymous: 'off', ...config }, createSpyObserve(), {
    clock,
    things: () => registry,
    verifier: { verify: async ({ secret }) => secret === 'right' },
  })
  const connect = (username: string, password: string, clientId = 'f-1') =>
    access.connect({ ...here, username, password }, { clientId, persistent: false })
  const forget = (name: string) => {
    known = known.filter((one) => one !== name)
    registry = things()
  }
  return { clock, connect, forget }
}

test.each([
  ['that fails to authenticate', 'dev', 'wrong', 'NOT_AUTHENTICATED'],
  ['whose policy does not allow the client id', 'other', 'right', 'NOT_AUTHORIZED'],
])('a client %s takes nothing from the rate of the client id, nor from the rate of all', async (_, username, password, code) => {
  const { connect } = withUsers(createManualClock(), { limits: { connectsPerSecond: 2 } })
  for (let i = 0; i < 10; i++) await expect(connect(username, password)).rejects.toMatchObject({ code })
  // The clock stands still: a CONNECT that had to wait for its rate would wait for ever.
  await expect(connect('dev', 'right')).resolves.toMatchObject({ source: { clientId: 'f-1' } })
})

test('a client that is revoked while it waits for its rate is not let in', async () => {
  const { clock, connect, forget } = withUsers()
  await connect('dev', 'right')
  const second = connect('dev', 'right')
  const outcome = expect(second).rejects.toMatchObject({ code: 'NOT_AUTHENTICATED' })
  forget('dev')
  await clock.advance(1_000)
  await outcome
})

test.each([
  ['$aws/rules/telemetry/dt/coldchain/acme/truck-1', 'acme'],
  ['$aws/rules/telemetry/dt/coldchain', undefined],
  ['$aws/rules/telemetry', undefined],
  ['/coldchain/acme/truck-1', 'acme'],
  ['dt/coldchain//truck-1', undefined],
])('a publish to %s belongs to the tenant %s', async (topic, tenant) => {
  expect((await enter()).tenantOf(topic)).toBe(tenant)
})
