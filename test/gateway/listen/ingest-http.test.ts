import fc from 'fast-check'
import { fastify, type InjectOptions } from 'fastify'
import { describe, expect, test, vi } from 'vitest'
import { GatewayError } from '../../../gateway/errors.ts'
import { createHttpIngest } from '../../../gateway/listen/ingest-http.ts'
import type { Publication } from '../../../gateway/listen/publisher.ts'
import { createSpyObserve } from '../../helpers/spy-observe.ts'

const id = '00000000-0000-4000-8000-000000000001'

function setUp(publish: (publish: Publication) => Promise<void> = async () => undefined) {
  const observe = createSpyObserve()
  const published = vi.fn(publish)
  const server = fastify({ logger: false })
  server.register(createHttpIngest({ publish: published, observe, uuid: () => id, maxPayloadBytes: 1_024 }))
  const post = (url: string, options: Omit<InjectOptions, 'url'> = {}) => server.inject({ method: 'POST', url, ...options })
  return { server, observe, published, post, sent: () => published.mock.calls[0]?.[0] }
}

test('answers as AWS IoT Core does', async () => {
  const { post } = setUp()
  const answer = await post('/topics/dt/a?qos=1', { payload: '{"t":1}' })
  expect(answer.statusCode).toBe(200)
  expect(answer.headers['content-type']).toMatch(/^application\/json/)
  expect(answer.headers['x-amzn-requestid']).toBe(id)
  expect(answer.json()).toEqual({ message: 'OK', traceId: id })
})

test('not before the message is safe', async () => {
  const safe = Promise.withResolvers<void>()
  const { post, published } = setUp(() => safe.promise)
  let answered = false
  const answer = post('/topics/a?qos=1').then((response) => {
    answered = true
    return response
  })
  await vi.waitFor(() => expect(published).toHaveBeenCalled())
  expect(answered).toBe(false)
  safe.resolve()
  expect((await answer).statusCode).toBe(200)
})

describe('the topic', () => {
  test.each([
    ['/topics/dt/acme/f1', 'dt/acme/f1'],
    ['/topics/dt%2Facme%2Ff1', 'dt/acme/f1'],
    ['/topics/%24aws%2Frules%2Fr', '$aws/rules/r'],
    ['/topics/$aws/rules/r/a', '$aws/rules/r/a'],
    ['/topics//a//b/', '/a//b/'],
    ['/topics/a%20b%C3%A9+c', 'a bé+c'],
    ['/topics/a%252Fb', 'a%2Fb'],
    ['/topics/a%3Fqos=1?qos=0', 'a?qos=1'],
    ['/topics/..%2Fb', '../b'],
    ['/topics/a%00b', 'a\0b'],
    ['/topics/', ''],
    [`/topics/${'x'.repeat(300)}`, 'x'.repeat(300)],
  ])('%s is %j', async (url, topic) => {
    const { post, sent } = setUp()
    expect((await post(url)).statusCode).toBe(200)
    expect(sent()?.topic).toBe(topic)
  })

  test.each(['%', '%zz', '%C0%AF', '%ED%A0%80', 'a%2'])('%s is no UTF-8', async (path) => {
    const { post, published } = setUp()
    const answer = await post(`/topics/${path}`)
    expect(answer.statusCode).toBe(400)
    expect(published).not.toHaveBeenCalled()
  })
})

describe('the payload', () => {
  test.each([
    ['application/json', '{"a" : 1}'],
    ['application/json', 'not json'],
    ['text/plain', 'x'],
    ['application/octet-stream', '\u0000\u0001'],
    ['application/x-www-form-urlencoded', 'a=b'],
  ])('is bytes, though it is called %s', async (type, text) => {
    const { post, sent } = setUp()
    const answer = await post('/topics/a', { headers: { 'content-type': type }, payload: Buffer.from(text) })
    expect(answer.statusCode).toBe(200)
    expect(Buffer.from(sent()!.payload).toString()).toBe(text)
  })

  test('needs no content type and may be empty', async () => {
    const one = setUp()
    await one.post('/topics/a', { payload: Buffer.from('x') })
    expect(Buffer.from(one.sent()!.payload).toString()).toBe('x')
    const none = setUp()
    await none.post('/topics/a')
    expect(none.sent()?.payload).toHaveLength(0)
  })

  test('has a largest size', async () => {
    const { post, published } = setUp()
    expect((await post('/topics/a', { payload: Buffer.alloc(1_024) })).statusCode).toBe(200)
    const answer = await post('/topics/a', { payload: Buffer.alloc(1_025) })
    expect(answer.statusCode).toBe(413)
    expect(published).toHaveBeenCalledTimes(1)
  })
})

describe('the query', () => {
  test('QoS 0 and not retained unless it says so', async () => {
    const plain = setUp()
    await plain.post('/topics/a')
    expect(plain.sent()).toEqual({ topic: 'a', payload: expect.anything(), qos: 0, retain: false })
    const full = setUp()
    await full.post('/topics/a?qos=1&retain=true&contentType=text%2Fplain&responseTopic=r&messageExpiry=60')
    expect(full.sent()).toMatchObject({
      qos: 1,
      retain: true,
      properties: { contentType: 'text/plain', responseTopic: 'r', messageExpiryIntervalSeconds: 60 },
    })
  })

  test.each([
    'qos=2',
    'qos=',
    'qos=01',
    'qos=0&qos=1',
    'retain=yes',
    'retain=true&retain=true',
    'messageExpiry=-1',
    'messageExpiry=1e3',
    'messageExpiry=4294967296',
    'contentType=a%00b',
    'responseTopic=%00',
    'contentType=a&contentType=b',
  ])('%s is refused', async (query) => {
    const { post, published } = setUp()
    expect((await post(`/topics/a?${query}`)).statusCode).toBe(400)
    expect(published).not.toHaveBeenCalled()
  })
})

describe('MQTT 5 headers', () => {
  const base64 = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64')

  test('become properties', async () => {
    const { post, sent } = setUp()
    await post('/topics/a', {
      headers: {
        'x-amz-mqtt5-user-properties': base64([{ deviceName: 'alpha' }, { deviceName: 'beta' }]),
        'x-amz-mqtt5-payload-format-indicator': 'UTF8_DATA',
        'x-amz-mqtt5-correlation-data': base64('id-1'),
      },
    })
    expect(sent()?.properties).toEqual({
      userProperties: [
        ['deviceName', 'alpha'],
        ['deviceName', 'beta'],
      ],
      payloadFormatIndicator: true,
      correlationData: Buffer.from('id-1'),
    })
  })

  test.each([
    ['user-properties', '%'],
    ['user-properties', base64('{')],
    ['user-properties', base64({ a: 'b' })],
    ['user-properties', base64([{ a: 1 }])],
    ['user-properties', base64([{ a: 'b', c: 'd' }])],
    ['user-properties', base64([null])],
    ['payload-format-indicator', 'utf8'],
    ['correlation-data', 'not base64!'],
  ])('%s: %s is refused', async (name, value) => {
    const { post } = setUp()
    expect((await post('/topics/a', { headers: { [`x-amz-mqtt5-${name}`]: value } })).statusCode).toBe(400)
  })
})

describe('refusals', () => {
  test.each<[code: ConstructorParameters<typeof GatewayError>[0], status: number, message: string]>([
    ['TOPIC_INVALID', 400, 'InvalidRequestException'],
    ['NOT_AUTHENTICATED', 401, 'UnauthorizedException'],
    ['NOT_AUTHORIZED', 403, 'Forbidden'],
    ['RATE_EXCEEDED', 429, 'ThrottlingException'],
    ['SPOOL_FULL', 503, 'ServiceUnavailableException'],
    ['INTERNAL', 500, 'InternalFailureException'],
  ])('%s is %i, for clients of AWS and of RFC 9457', async (code, status, message) => {
    const { post, observe } = setUp(async () => {
      throw new GatewayError(code, 'a secret of the house')
    })
    const answer = await post('/topics/a?qos=1')
    expect(answer.statusCode).toBe(status)
    expect(answer.headers).toMatchObject({ 'content-type': expect.stringMatching(/^application\/problem\+json/), 'x-amzn-requestid': id })
    expect(answer.json()).toMatchObject({ status, message, traceId: id, instance: `urn:uuid:${id}` })
    expect(answer.body).not.toContain('secret')
    expect(observe.of('request.refused')).toMatchObject([{ code, instance: id }])
  })

  test.each(['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'] as const)('%s is not a way to publish', async (method) => {
    const { server, published } = setUp()
    const answer = await server.inject({ method, url: '/topics/a' })
    expect([answer.statusCode, answer.headers.allow]).toEqual([405, 'POST'])
    expect(answer.json().message).toBe('MethodNotAllowedException')
    expect(published).not.toHaveBeenCalled()
  })
})

test('whatever a request looks like, it is taken or refused, and never our fault', async () => {
  const { server, published } = setUp()
  const ascii = fc.string({ unit: fc.constantFrom(...'abc/%2Ff0C+#$?&=.;~!*'), maxLength: 40 })
  const text = fc.oneof(ascii, fc.base64String({ maxLength: 40 }), fc.constantFrom('0', '1', 'true', 'UTF8_DATA'))
  const query = fc.array(
    fc.tuple(fc.constantFrom('qos', 'retain', 'contentType', 'responseTopic', 'messageExpiry', '__proto__', 'x'), text),
    { maxLength: 4 },
  )
  const headers = fc.dictionary(
    fc.constantFrom(
      'content-type',
      'authorization',
      'x-amz-mqtt5-user-properties',
      'x-amz-mqtt5-payload-format-indicator',
      'x-amz-mqtt5-correlation-data',
      'x-forwarded-for',
    ),
    text,
    { maxKeys: 4, noNullPrototype: true },
  )
  await fc.assert(
    fc.asyncProperty(ascii, query, headers, fc.uint8Array({ maxLength: 1_200 }), async (path, pairs, fields, body) => {
      const before = published.mock.calls.length
      const url = `/topics/${path}?${pairs.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&')}`
      const answer = await server.inject({ method: 'POST', url, headers: fields, payload: Buffer.from(body) })
      expect([200, 400, 413, 415]).toContain(answer.statusCode)
      expect(published.mock.calls.length - before).toBe(answer.statusCode === 200 ? 1 : 0)
    }),
    { numRuns: 1_000, seed: 9457 },
  )
})
