import { describe, expect, test } from 'vitest'
import { createLimits, type PublishAsked } from '../../../gateway/access/limits.ts'
import type { LimitsConfig } from '../../../gateway/access/quotas.ts'
import { createManualClock } from '../../helpers/manual-clock.ts'

const setUp = (config: LimitsConfig = 'aws') => {
  const clock = createManualClock()
  const limits = createLimits(config, clock)
  return { clock, limits, connection: limits.connection() }
}

const reading: PublishAsked = { topic: 'dt/a', payloadBytes: 100, qos: 0 }
const times = <T>(count: number, run: (index: number) => T) => Array.from({ length: count }, (_, index) => run(index))

describe('connect', () => {
  test('once a second for each client id', async () => {
    const { limits, clock } = setUp()
    expect(limits.connect('a')).toBeUndefined()
    expect(limits.connect('b')).toBeUndefined()
    expect(limits.connect('a')).toMatchObject({ code: 'CONNECT_RATE_EXCEEDED', details: { limit: 'connectsPerClientPerSecond', value: 1 } })
    await clock.advance(999)
    expect(limits.connect('a')?.code).toBe('CONNECT_RATE_EXCEEDED')
    await clock.advance(1)
    expect(limits.connect('a')).toBeUndefined()
  })

  test('so many a second for all', async () => {
    const { limits, clock } = setUp({ connectsPerSecond: 5 })
    const refused = times(7, (i) => limits.connect(`c${i}`)?.details.limit)
    expect(refused).toEqual([...times(5, () => undefined), 'connectsPerSecond', 'connectsPerSecond'])
    await clock.advance(1_000)
    expect(limits.connect('c6')).toBeUndefined()
  })

  test.each<[id: string, refused: boolean]>([
    ['a'.repeat(128), false],
    ['a'.repeat(129), true],
    ['é'.repeat(65), true],
    ['a\0', true],
    ['\ufffd', true],
    ['+', false],
  ])('client id %j is refused: %s', (id, refused) => {
    expect(setUp().limits.checkClientId(id)?.code).toBe(refused ? 'CLIENT_ID_INVALID' : undefined)
  })
})

describe('publish', () => {
  test('a hundred a second, deliveries included', async () => {
    const { connection, clock } = setUp()
    expect(times(60, () => connection.publish(reading)).every((refused) => !refused)).toBe(true)
    expect(times(40, () => connection.deliver(100, 0)).every((refused) => !refused)).toBe(true)
    expect(connection.publish(reading)).toMatchObject({ code: 'RATE_EXCEEDED', retryable: true, details: { limit: 'publishesPerSecond' } })
    expect(connection.deliver(100, 0)?.code).toBe('RATE_EXCEEDED')
    await clock.advance(10)
    expect(connection.publish(reading)).toBeUndefined()
  })

  test('each connection has its own rate', () => {
    const { limits, connection } = setUp()
    times(100, () => connection.publish(reading))
    expect(connection.publish(reading)?.code).toBe('RATE_EXCEEDED')
    expect(limits.connection().publish(reading)).toBeUndefined()
  })

  test('half a megabyte a second', async () => {
    const { connection, clock } = setUp()
    const large = { ...reading, payloadBytes: 131_072 }
    expect(times(4, () => connection.publish(large)).every((refused) => !refused)).toBe(true)
    expect(connection.publish(large)?.details.limit).toBe('bytesPerSecond')
    await clock.advance(250)
    expect(connection.publish(large)).toBeUndefined()
  })

  test('a refused publish costs nothing', () => {
    const { connection } = setUp({ publishesPerSecond: 2, bytesPerSecond: 100 })
    expect(connection.publish({ ...reading, payloadBytes: 60 })).toBeUndefined()
    expect(connection.publish({ ...reading, payloadBytes: 60 })?.details.limit).toBe('bytesPerSecond')
    expect(connection.publish({ ...reading, payloadBytes: 40 })).toBeUndefined()
  })

  test('a hundred in flight, each way', () => {
    const { connection } = setUp({ publishesPerSecond: 'off' })
    const one = { ...reading, qos: 1 }
    expect(times(100, () => connection.publish(one)).every((refused) => !refused)).toBe(true)
    expect(connection.publish(one)?.code).toBe('IN_FLIGHT_EXCEEDED')
    expect(connection.publish(reading)).toBeUndefined()
    connection.acknowledged()
    expect(connection.publish(one)).toBeUndefined()
    expect(times(100, () => connection.deliver(1, 1)).every((refused) => !refused)).toBe(true)
    expect(connection.deliver(1, 1)?.details.limit).toBe('inFlightOutbound')
    connection.delivered()
    expect(connection.deliver(1, 1)).toBeUndefined()
  })

  test('one retained message a second for each topic, whoever sends it', async () => {
    const { limits, clock } = setUp()
    const retained = { ...reading, retain: true }
    expect(limits.connection().publish(retained)).toBeUndefined()
    expect(limits.connection().publish(retained)?.details.limit).toBe('retainsPerTopicPerSecond')
    expect(limits.connection().publish({ ...retained, topic: 'dt/b' })).toBeUndefined()
    await clock.advance(1_000)
    expect(limits.connection().publish(retained)).toBeUndefined()
  })

  test('tenants beyond the number of names share one rate; the tenant of an identity has its own', () => {
    const { limits } = setUp({ tenantPublishesPerSecond: 2, tenantNames: 3 })
    const stranger = limits.connection()
    const invented = times(100, (i) => stranger.publish({ ...reading, tenant: `n${i}` })?.code)
    expect(invented.filter((code) => code === undefined)).toHaveLength(3 + 2)
    const acme = limits.connection('acme')
    expect(times(3, () => acme.publish({ ...reading, tenant: 'acme' })?.code)).toEqual([undefined, undefined, 'TENANT_RATE_EXCEEDED'])
  })

  test('a topic that names the tenant of an identity does not use up its rate', () => {
    const { limits, connection } = setUp({ tenantPublishesPerSecond: 2 })
    times(5, () => connection.publish({ ...reading, tenant: 'acme' }))
    expect(limits.connection('acme').publish({ ...reading, tenant: 'acme' })).toBeUndefined()
  })

  test('publishes that name no tenant share one rate, so a short topic is no way around it', () => {
    const { limits } = setUp({ tenantPublishesPerSecond: 2 })
    const short = (topic: string) => limits.connection().publish({ ...reading, topic })?.details.limit
    expect([short('a'), short('b/c'), short('$aws/rules/telemetry')]).toEqual([undefined, undefined, 'tenantPublishesPerSecond'])
    expect(limits.connection().publish({ ...reading, tenant: 'acme' })).toBeUndefined()
  })

  test('a tenant has a rate over all its devices, when one is set', () => {
    const { limits } = setUp({ tenantPublishesPerSecond: 2, tenantBytesPerSecond: 1_000 })
    const from = (tenant: string, payloadBytes = 1) => limits.connection().publish({ ...reading, tenant, payloadBytes })
    expect([from('acme'), from('acme')]).toEqual([undefined, undefined])
    expect(from('acme')).toMatchObject({ code: 'TENANT_RATE_EXCEEDED', details: { limit: 'tenantPublishesPerSecond' } })
    expect(from('other', 900)).toBeUndefined()
    expect(from('other', 900)?.details.limit).toBe('tenantBytesPerSecond')
  })

  test.each<[what: string, publish: Partial<PublishAsked>, code: string]>([
    ['QoS 2', { qos: 2 }, 'QOS_NOT_SUPPORTED'],
    ['a wildcard', { topic: 'a/+' }, 'TOPIC_INVALID'],
    ['a reserved topic', { topic: '$SYS/x' }, 'TOPIC_INVALID'],
    ['a retained Basic Ingest', { topic: '$aws/rules/r/a', retain: true }, 'TOPIC_INVALID'],
    ['129 KB', { payloadBytes: 131_073 }, 'PAYLOAD_TOO_LARGE'],
    ['a long content type', { properties: { contentType: 'x'.repeat(257) } }, 'PROPERTY_TOO_LARGE'],
    ['long correlation data', { properties: { correlationData: Buffer.alloc(8_193) } }, 'PROPERTY_TOO_LARGE'],
    ['long user properties', { properties: { userProperties: [['a', 'x'.repeat(8_192)]] } }, 'PROPERTY_TOO_LARGE'],
  ])('%s is refused', (_what, publish, code) => {
    expect(setUp().connection.publish({ ...reading, ...publish })?.code).toBe(code)
  })

  test('what is just within the limits is not', () => {
    const properties = {
      contentType: 'x'.repeat(256),
      correlationData: Buffer.alloc(8_192),
      userProperties: [['a', 'x'.repeat(8_191)]] as const,
    }
    expect(setUp().connection.publish({ ...reading, payloadBytes: 131_072, properties })).toBeUndefined()
  })
})

describe('subscribe', () => {
  test('eight filters at once, fifty in all', () => {
    const { connection } = setUp()
    expect(connection.subscribe(times(9, (i) => `f/${i}`))[8]?.details.limit).toBe('filtersPerSubscribe')
    times(50, (i) => expect(connection.subscribe([`f/${i}`])[0]).toBeUndefined())
    expect(connection.subscribe(['f/50'])[0]).toMatchObject({
      code: 'SUBSCRIPTIONS_EXCEEDED',
      details: { limit: 'subscriptionsPerConnection' },
    })
    expect(connection.subscribe(['f/7'])[0]).toBeUndefined()
    connection.unsubscribe(['f/1', 'unknown'])
    expect(connection.subscribe(['f/50'])[0]).toBeUndefined()
    expect(connection.subscribe(['f/51'])[0]?.code).toBe('SUBSCRIPTIONS_EXCEEDED')
  })

  test('a filter that is none is refused, and the others are not', () => {
    const { connection } = setUp({ subscriptionsPerConnection: 1 })
    const codes = connection.subscribe(['a', 'b#', 'c']).map((refused) => refused?.code)
    expect(codes).toEqual([undefined, 'TOPIC_INVALID', 'SUBSCRIPTIONS_EXCEEDED'])
  })
})

test('what is adjusted instead of refused', () => {
  const { limits } = setUp()
  expect([0, 1, 30, 60, 1_200, 1_201, 65_535].map(limits.keepAliveSeconds)).toEqual([1_200, 30, 30, 60, 1_200, 1_200, 1_200])
  expect([0, 60, 3_600, 3_601, Number.POSITIVE_INFINITY].map(limits.sessionExpirySeconds)).toEqual([0, 60, 3_600, 3_600, 3_600])
  expect([0, 1, 604_801].map(limits.messageExpirySeconds)).toEqual([1, 1, 604_800])
})

test('no limits: only what MQTT itself forbids', () => {
  const { limits, connection } = setUp('none')
  expect(times(10, () => limits.connect('a')).every((refused) => !refused)).toBe(true)
  const large = { topic: `${'a/'.repeat(90)}a`, payloadBytes: 10_000_000, qos: 1, retain: true, tenant: 'acme' }
  expect(times(500, () => connection.publish(large)).every((refused) => !refused)).toBe(true)
  expect(connection.subscribe(times(100, (i) => `f/${i}`)).every((refused) => !refused)).toBe(true)
  expect(connection.publish({ ...reading, qos: 2 })?.code).toBe('QOS_NOT_SUPPORTED')
  expect(limits.keepAliveSeconds(0)).toBe(Number.POSITIVE_INFINITY)
})
