import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Message, Transport } from '../../../gateway/message/message.ts'
import {
  batchStartOf,
  bodyOf,
  bodyRecordBytes,
  checkRecord,
  encodeBody,
  field,
  receivedAtOf,
  renumberRecord,
  sequenceOf,
} from '../../../gateway/spool/codec.ts'
import { MessageCodec, recordSizeLimit } from '../../../gateway/spool/message-codec.ts'
import { toReading } from '../../helpers/messages.ts'

const salt = 0xdecafbad
const codec = new MessageCodec()

type Complete<T> = {
  readonly [K in keyof T]-?: T[K] extends object | undefined
    ? K extends 'source' | 'properties'
      ? Complete<NonNullable<T[K]>>
      : NonNullable<T[K]>
    : NonNullable<T[K]>
}

/** Every field there is: a new one in Message does not compile here until it has a value, and is lost below until a record keeps it. */
const complete: Complete<Message> = {
  id: '01KAAAAAAAAAAAAAAAAAAAAAAA',
  topic: 'dt/coldchain/ac\u00f1e/truck-1/\u{1f9ca}/telemetry',
  payload: Buffer.from([0, 255, 1, 254]),
  qos: 1,
  retain: true,
  receivedAt: 1_767_225_600_123.5,
  source: { clientId: 'freezer-1', transport: 'mqtts', principal: 'cert-1', sourceIp: '10.0.0.1', tenant: 'acme' },
  hops: 3,
  trace: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  properties: {
    contentType: 'application/json',
    payloadFormatIndicator: true,
    responseTopic: 'cmd/res',
    correlationData: Buffer.from([9, 8, 7]),
    messageExpiryIntervalSeconds: 60,
    userProperties: [
      ['a', '1'],
      ['a', '2'],
    ],
  },
}

function roundTrip(message: Message): { message: Message; length: number } {
  const buffer = Buffer.alloc(recordSizeLimit(message) + 100, 0xff)
  const length = codec.encode(buffer, 100, message, salt, 1)
  expect(length).toBeLessThanOrEqual(recordSizeLimit(message))
  expect(checkRecord(buffer, 100, salt)).toBe(length)
  return { message: codec.decode(buffer, 100, length), length }
}

test('every field of a message survives', () => {
  expect(roundTrip(complete).message).toEqual(complete)
  expect(roundTrip(toReading(1)).message).toEqual(toReading(1))
})

test('any message survives, its strings and payload whatever they are', () => {
  const text = fc.string({ unit: 'binary', maxLength: 20 })
  const optional = <K extends string>(key: K) =>
    fc.option(text, { nil: undefined }).map((value) => (value === undefined ? {} : { [key]: value }))
  const transport = fc.constantFrom<Transport>('mqtt', 'mqtts', 'mqtt-ws', 'http', 'https', 'websocket', 'upstream', 'inside')
  const source = fc
    .tuple(text, transport, optional('principal'), optional('sourceIp'), optional('tenant'))
    .map(([clientId, transport, ...rest]) => Object.assign({ clientId, transport }, ...rest))
  const message = fc
    .tuple(text, text, fc.uint8Array({ maxLength: 50 }), fc.boolean(), fc.boolean(), fc.nat(), source, fc.nat(9), optional('trace'))
    .map(([id, topic, payload, qos, retain, receivedAt, source, hops, trace]): Message => {
      return { id, topic, payload: Buffer.from(payload), qos: qos ? 1 : 0, retain, receivedAt, source, hops, ...trace }
    })
  fc.assert(
    fc.property(message, (value) => {
      expect(roundTrip(value).message).toEqual(value)
    }),
  )
})

test('a flipped bit anywhere is seen', () => {
  const buffer = Buffer.alloc(recordSizeLimit(complete))
  const length = codec.encode(buffer, 0, complete, salt, 1)
  for (let bit = 0; bit < length * 8; bit++) {
    const damaged = Buffer.from(buffer)
    damaged[bit >> 3]! ^= 1 << (bit & 7)
    expect(typeof checkRecord(damaged, 0, salt)).toBe('string')
  }
})

test('a record cut short is short, zeros and another salt are none', () => {
  const buffer = Buffer.alloc(recordSizeLimit(complete))
  const length = codec.encode(buffer, 0, complete, salt, 1)
  for (const cut of [0, 3, 20, length - 1]) expect(checkRecord(buffer.subarray(0, cut), 0, salt)).toBe('short')
  expect(checkRecord(Buffer.alloc(100), 0, salt)).toBe('bad')
  expect(checkRecord(buffer, 0, salt + 1)).toBe('bad')
})

test('a record knows when it came and where its commit batch began', () => {
  const buffer = Buffer.alloc(1_000)
  codec.encode(buffer, 300, complete, salt, 1)
  expect(receivedAtOf(buffer, 300)).toBe(complete.receivedAt)
  expect(batchStartOf(buffer, 300, 5_300)).toBe(5_000)
})

test('a decoded payload does not keep the buffer it was read from', () => {
  const buffer = Buffer.alloc(1_000)
  const length = codec.encode(buffer, 0, complete, salt, 1)
  const { payload } = codec.decode(buffer, 0, length)
  buffer.fill(0)
  expect(payload).toEqual(complete.payload)
})

test('a string that no record can hold is told apart before it is written', () => {
  expect(recordSizeLimit(toReading(1, { topic: 'x'.repeat(65_535) }))).toBe(Number.POSITIVE_INFINITY)
  expect(recordSizeLimit(toReading(1, { source: { clientId: 'a', transport: 'mqtt', principal: 'x'.repeat(65_535) } }))).toBe(
    Number.POSITIVE_INFINITY,
  )
  const longest = toReading(1, { topic: 'x'.repeat(65_534) })
  expect(roundTrip(longest).message).toEqual(longest)
})

test('what is remembered of a source and a topic is never mistaken for that of another', () => {
  const source = { clientId: 'freezer-1', transport: 'mqtt' } as const
  const of = (id: string, topic: string, more: Partial<Message> = {}): Message => ({ ...toReading(1), id, topic, source, ...more })
  const messages = [
    of('01KAAAAAAAAAAAAAAAAAAAAAAA', 'a/b'),
    of('01KAAAAAAAAAAAAAAAAAAAAAAB', 'a/b', { receivedAt: 5, qos: 0, hops: 2, retain: true }),
    of('\u00e91KAAAAAAAAAAAAAAAAAAAAAAB', 'a/b'),
    of('01KAAAAAAAAAAAAAAAAAAAAAAC', 'a/b'),
    of('short', 'a/b'),
    // The same text, cut in other places; the same topic, from somebody else.
    of('01KAAAAAAAAAAAAAAAAAAAAAAD', 'a/bfreezer', { source: { clientId: '-1', transport: 'mqtt' } }),
    of('01KAAAAAAAAAAAAAAAAAAAAAAD', 'a/b', { source: { clientId: 'freezer', transport: 'mqtt', principal: '-1' } }),
    of('01KAAAAAAAAAAAAAAAAAAAAAAD', 'a/b', { source: { clientId: 'freezer', transport: 'mqtt', tenant: '-1' } }),
    of('01KAAAAAAAAAAAAAAAAAAAAAAD', 'a/b', { source: { clientId: 'freezer-1', transport: 'mqtts' } }),
    of('01KAAAAAAAAAAAAAAAAAAAAAAD', 'a/b', { trace: '00-1' }),
    of('01KAAAAAAAAAAAAAAAAAAAAAAD', 'a/b', { properties: { contentType: 'text/plain' } }),
  ]
  for (const message of [...messages, ...messages.toReversed(), ...messages]) expect(roundTrip(message).message).toEqual(message)
})

test('a record of a body alone gives it back, among records of messages', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(), (bytes, sequence) => {
      const buffer = Buffer.alloc(bodyRecordBytes(bytes) + 100, 0xff)
      const length = encodeBody(buffer, 100, bytes, salt, sequence)
      expect(length).toBe(bodyRecordBytes(bytes))
      expect(checkRecord(buffer, 100, salt)).toBe(length)
      expect(bodyOf(buffer, 100, length)).toEqual(Buffer.from(bytes))
      expect(sequenceOf(buffer, 100)).toBe(sequence)
      expect(batchStartOf(buffer, 100, 5_100)).toBe(5_000)
    }),
  )
})

test('a whole record of a newer version is refused, and a damaged one is damage', () => {
  const buffer = Buffer.alloc(recordSizeLimit(complete))
  const length = codec.encode(buffer, 0, complete, salt, 1)
  buffer[field.format] = (3 << 4) | 3
  expect(checkRecord(buffer, 0, salt)).toBe('bad')
  renumberRecord(buffer, 0, length, salt, 1)
  expect(() => checkRecord(buffer, 0, salt)).toThrow('it holds records of format 3, and this version reads up to 2')
  expect(checkRecord(buffer.subarray(0, length - 1), 0, salt)).toBe('short')
  expect(checkRecord(buffer, 0, salt + 1)).toBe('bad')
})

test('a codec remembers nothing of another', () => {
  const source = { clientId: 'a', transport: 'mqtt' } as const
  const message = toReading(1, { source })
  const [first, second] = [new MessageCodec(), new MessageCodec()]
  const buffer = Buffer.alloc(recordSizeLimit(message))
  const length = first.encode(buffer, 0, message, salt, 1)
  expect(first.decode(buffer, 0, length).source).toBe(first.decode(buffer, 0, length).source)
  expect(second.decode(buffer, 0, length).source).not.toBe(first.decode(buffer, 0, length).source)
})
