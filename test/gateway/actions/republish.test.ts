import { expect, test } from 'vitest'
import { republish } from '../../../gateway/actions/republish.ts'
import { GatewayError } from '../../../gateway/errors.ts'
import type { Message } from '../../../gateway/message/message.ts'
import { testSink } from '../../contract/sink.ts'
import { createDelivery, createDeps, createMessage, delivered } from '../../helpers/delivery.ts'

const signal = new AbortController().signal

function setUp(params: object) {
  const published: Message[] = []
  const broker = { publish: async (message: Message) => void published.push(message) }
  return { published, sink: republish.bind(republish.params.parse(params), createDeps({ broker })) }
}

const codes = { refuse: 'TOPIC_INVALID', fail: 'SPOOL_FAILED' } as const

testSink({
  entry: { republish: { topic: 'alerts/warm' } },
  target: (decide) => ({
    broker: {
      async publish({ payload }) {
        const fate = await decide(Buffer.from(payload).toString())
        if (fate !== 'accept') throw new GatewayError(codes[fate], 'as the test wants it')
      },
    },
  }),
  skip: { abort: 'the broker is in the same process and bounds its own waits' },
})

test('a new message from inside, one hop further, with the tenant it came from', async () => {
  const { published, sink } = setUp({ topic: 'alerts/${topic(3)}', qos: 1 })
  await delivered(sink, createDelivery({ body: 'warm' }), signal)
  expect(published).toMatchObject([
    { topic: 'alerts/acme', qos: 1, retain: false, hops: 1, source: { clientId: 'N/A', transport: 'inside', tenant: 'acme' } },
  ])
  expect(Buffer.from(published[0]!.payload).toString()).toBe('warm')
})

test('the id of the new message is the same at every attempt, and another for another action', async () => {
  const { published, sink } = setUp({ topic: 'a' })
  for (const key of ['01JZ.rule.0', '01JZ.rule.0', '01JZ.rule.1']) await delivered(sink, createDelivery({ key }), signal)
  const [first, again, other] = published.map(({ id }) => id)
  expect(first).toMatch(/^01JZZZZZZZ[0-9A-HJKMNP-TV-Z]{16}$/)
  expect(again).toBe(first)
  expect(other).not.toBe(first)
})

test('a spool without room even for this makes the delivery fail for good: waiting would keep the room taken', async () => {
  const publish = () => Promise.reject(new GatewayError('SPOOL_FULL', 'no room'))
  const sink = republish.bind(republish.params.parse({ topic: 'a' }), createDeps({ broker: { publish } }))
  await expect(delivered(sink, createDelivery(), signal)).rejects.toMatchObject({ code: 'REPUBLISH_NO_ROOM', retryable: false })
})

test('a leading $$ stands for $', async () => {
  const { published, sink } = setUp({ topic: '$$aws/things/${topic(5)}/shadow/update' })
  await delivered(sink, createDelivery(), signal)
  expect(published[0]?.topic).toBe('$aws/things/freezer-1/shadow/update')
})

test('headers become MQTT 5 properties', async () => {
  const { published, sink } = setUp({
    topic: 'a',
    headers: {
      payloadFormatIndicator: 'UTF8_DATA',
      contentType: 'application/json',
      responseTopic: 'res/${topic(5)}',
      correlationData: 'AQI=',
      messageExpiry: '60',
      userProperties: [{ key: 'tenant', value: '${topic(3)}' }],
    },
  })
  await delivered(sink, createDelivery(), signal)
  expect(published[0]?.properties).toEqual({
    payloadFormatIndicator: true,
    contentType: 'application/json',
    responseTopic: 'res/freezer-1',
    correlationData: Buffer.from([1, 2]),
    messageExpiryIntervalSeconds: 60,
    userProperties: [['tenant', 'acme']],
  })
})

test.each([
  [{ topic: 'a/${topic(9)}' }, createMessage({ topic: 'x' }), undefined],
  [{ topic: '${topic(9)}' }, createMessage({ topic: 'x' }), 'TOPIC_INVALID'],
  [{ topic: 'a/#' }, createMessage(), 'TOPIC_INVALID'],
  [{ topic: 'a'.repeat(257) }, createMessage(), 'TOPIC_INVALID'],
  [{ topic: 'a' }, createMessage({ hops: 7 }), undefined],
  [{ topic: 'a' }, createMessage({ hops: 8 }), 'REPUBLISH_LOOP'],
  [{ topic: 'a', headers: { messageExpiry: 'soon' } }, createMessage(), 'ACTION_REFUSED'],
  [{ topic: 'a', headers: { payloadFormatIndicator: 'TEXT' } }, createMessage(), 'ACTION_REFUSED'],
])('%o: hops and topics are checked', async (params, message, code) => {
  const { sink } = setUp(params)
  const fate = await delivered(sink, createDelivery({ message }), signal).catch((error) => error.code)
  expect(fate).toBe(code)
})
