// The decoder of packets: legal ones against mqtt-packet, illegal ones against the reason codes of MQTT 5.
import fc from 'fast-check'
import { generate, type Packet, parser } from 'mqtt-packet'
import { describe, expect, test } from 'vitest'
import { createFrame, readHeader } from '../../../../gateway/broker/frame.ts'
import type { Version } from '../../../../gateway/broker/packets/connect.ts'
import { decode } from '../../../../gateway/broker/packets/decode.ts'
import { encodePublish } from '../../../../gateway/broker/packets/encode.ts'
import { IllegalPacket } from '../../../../gateway/broker/packets/illegal.ts'
import { properties } from '../../../../gateway/broker/packets/properties.ts'

const decoded = (bytes: Buffer, version: Version | undefined) => {
  const frame = createFrame()
  readHeader(bytes, 0, frame)
  return decode(bytes, 0, frame.start, frame.end, version)
}

/** The reason code of a packet, 0 for a legal one. */
const judge = (hex: string, version: Version | undefined): number => {
  try {
    decoded(Buffer.from(hex.replaceAll(' ', ''), 'hex'), version)
    return 0
  } catch (error) {
    if (error instanceof IllegalPacket) return error.reasonCode
    throw error
  }
}

const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }).filter((text) => text.isWellFormed() && !/[\0#+]/.test(text))
const some = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })
const bytes = fc.uint8Array({ maxLength: 20 }).map((array) => Buffer.from(array))
const without = (record: object) => Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined))
const ofMessage = {
  payloadFormatIndicator: some(fc.boolean()),
  messageExpiryInterval: some(fc.nat()),
  contentType: some(name),
  responseTopic: some(name),
  correlationData: some(bytes),
}

describe('legal packets are what mqtt-packet parses', () => {
  const publish = fc.record({
    ...{ cmd: fc.constant('publish'), topic: name, payload: bytes, qos: fc.constantFrom(0, 1, 2), retain: fc.boolean() },
    messageId: fc.integer({ min: 1, max: 65_535 }),
    properties: fc.record({ ...ofMessage, topicAlias: some(fc.integer({ min: 1, max: 8 })) }).map(without),
  })
  const connect = fc.record({
    ...{ cmd: fc.constant('connect'), protocolId: fc.constant('MQTT'), clientId: name, clean: fc.boolean(), keepalive: fc.nat(65_535) },
    username: fc.constant('user'),
    password: some(bytes),
    will: some(
      fc.record({
        ...{ topic: name, payload: bytes, qos: fc.constantFrom(0, 1), retain: fc.boolean() },
        properties: fc.record({ ...ofMessage, willDelayInterval: some(fc.nat()) }).map(without),
      }),
    ),
    properties: fc
      .record({
        ...{ sessionExpiryInterval: some(fc.nat()), receiveMaximum: some(fc.integer({ min: 1, max: 65_535 })) },
        ...{ maximumPacketSize: some(fc.integer({ min: 1, max: 0xffff_ffff })), topicAliasMaximum: some(fc.nat(65_535)) },
        ...{ requestResponseInformation: some(fc.boolean()), requestProblemInformation: some(fc.boolean()) },
      })
      .map(without),
  })
  const subscribe = fc.record({
    ...{ cmd: fc.constant('subscribe'), messageId: fc.integer({ min: 1, max: 65_535 }) },
    subscriptions: fc.array(fc.record({ topic: name, qos: fc.constantFrom(0, 1, 2), nl: fc.boolean(), rap: fc.boolean(), rh: fc.nat(2) }), {
      minLength: 1,
      maxLength: 4,
    }),
  })

  test.each([4, 5] as const)('version %i', (version) => {
    fc.assert(
      fc.property(fc.oneof(publish, connect, subscribe), (packet) => {
        const sent = generate({ ...packet, protocolVersion: version, dup: false } as unknown as Packet, { protocolVersion: version })
        const parsed: Packet[] = []
        const parse = parser({ protocolVersion: version })
        parse.on('packet', (found) => parsed.push(found))
        parse.parse(sent)
        const found = decoded(sent, packet.cmd === 'connect' ? undefined : version)
        expect(JSON.parse(JSON.stringify(parsed[0]))).toMatchObject(JSON.parse(JSON.stringify(found)))
      }),
    )
  })
})

test('a PUBLISH that was encoded is decoded to the same, with its user properties in their order', () => {
  const pairs = fc.array(fc.tuple(fc.constantFrom('a', 'b', '__proto__', 'constructor'), name), { minLength: 1, maxLength: 5 })
  const sent = fc.record({ topic: name, payload: bytes, qos: fc.constantFrom(0 as const, 1 as const), retain: fc.boolean() })
  fc.assert(
    fc.property(sent, fc.record(ofMessage).map(without), pairs, (packet, more, userProperties) => {
      const whole = { cmd: 'publish', ...packet, dup: false, messageId: 7, properties: { ...more, userProperties } } as const
      const { length, messageId = 7, ...found } = decoded(encodePublish(whole, 5)!, 5) as unknown as typeof whole & { length: number }
      expect({ ...found, messageId }).toEqual(whole)
    }),
  )
})

test('what no packet can hold is not encoded', () => {
  const packet = { cmd: 'publish', topic: 'a', payload: Buffer.alloc(0), qos: 0 } as const
  expect(encodePublish({ ...packet, topic: 'a'.repeat(65_536) }, 4)).toBeUndefined()
  expect(encodePublish({ ...packet, properties: { contentType: 'a'.repeat(65_536) } }, 5)).toBeUndefined()
})

/** Property values that are legal, as hex with the identifier. */
const sample: Readonly<Record<number, string>> = {
  ...{ 1: '01 01', 2: '02 00000001', 3: '03 000161', 8: '08 000161', 9: '09 000161', 11: '0b 01', 17: '11 00000001', 18: '12 000161' },
  ...{ 19: '13 0001', 21: '15 000161', 22: '16 000161', 23: '17 01', 24: '18 00000001', 25: '19 01', 26: '1a 000161', 28: '1c 000161' },
  ...{ 31: '1f 000161', 33: '21 0001', 34: '22 0001', 35: '23 0001', 36: '24 01', 37: '25 01', 38: '26 000161 000162', 39: '27 00001000' },
  ...{ 40: '28 01', 41: '29 01', 42: '2a 01' },
}

const hexOf = (...parts: readonly string[]) => parts.join('').replaceAll(' ', '')
const sized = (hex: string) => (hex.length / 2).toString(16).padStart(2, '0') + hex
const packetOf = (first: string, before: string, list: string, after = '') => first + sized(hexOf(before, sized(list), after))

/** A packet of each place around a list of properties. */
const places: Readonly<Record<string, (list: string) => string>> = {
  CONNECT: (list) => packetOf('10', '00044d5154540502003c', list, '000161'),
  will: (list) => packetOf('10', '00044d5154540506003c 00 000161', list, '000161 000162'),
  PUBLISH: (list) => packetOf('32', '000161 0001', list, '78'),
  PUBACK: (list) => packetOf('40', '0001 00', list),
  PUBREC: (list) => packetOf('50', '0001 00', list),
  PUBREL: (list) => packetOf('62', '0001 00', list),
  PUBCOMP: (list) => packetOf('70', '0001 00', list),
  SUBSCRIBE: (list) => packetOf('82', '0001', list, '000161 00'),
  UNSUBSCRIBE: (list) => packetOf('a2', '0001', list, '000161'),
  DISCONNECT: (list) => packetOf('e0', '00', list),
}

const isConnect = (place: string) => place === 'CONNECT' || place === 'will'

describe.each(Object.entries(places))('properties of %s', (place, packet) => {
  const judged = (...list: readonly string[]) => judge(packet(hexOf(...list)), isConnect(place) ? undefined : 5)

  test('none', () => expect(judged()).toBe(0))

  test.each(Object.entries(sample).map(([id, hex]) => [properties[Number(id)]!.name, Number(id), hex] as const))('%s', (_, id, hex) => {
    const { in: allowed, repeats, forbidden } = properties[id]!
    const legal = allowed.includes(place as never)
    const needsMethod = id === 22 && place === 'CONNECT' ? 0x82 : 0
    expect(judged(hex)).toBe(legal ? needsMethod : forbidden?.in === place ? 0x82 : 0x81)
    if (!legal) return
    expect(judged(hex, hex)).toBe(repeats ? 0 : 0x82)
    const whole = hexOf(hex)
    for (let cut = 2; cut < whole.length; cut += 2) expect(judged(whole.slice(0, cut))).toBe(0x81)
  })

  test('an identifier that MQTT does not know', () => expect(judged('7f 00')).toBe(0x81))
})

test.each<[string, string, number, Version?]>([
  ['QoS 1 PUBLISH without packet identifier', '32 03 000161', 0x81],
  ['QoS 1 PUBLISH without packet identifier, MQTT 3.1.1', '32 03 000161', 0x81, 4],
  ['packet identifier 0', '32 06 000161 0000 00', 0x82],
  ['packet identifier 0 in PUBACK', '40 02 0000', 0x82],
  ['QoS 3', '36 06 000161 0001 00', 0x81],
  ['DUP at QoS 0', '38 04 000161 00', 0x81],
  ['a topic cut short', '30 03 000961', 0x81],
  ['a topic with U+0000', '30 05 0002 6100 00', 0x81],
  ['a topic that is not UTF-8', '30 05 0002 c328 00', 0x81],
  ['a topic with a surrogate', '30 06 0003 eda080 00', 0x81],
  ['a topic with a wildcard', '30 05 0002 612b 00', 0x90],
  ['no topic and no alias', '30 03 0000 00', 0x82],
  ['no topic, MQTT 3.1.1', '30 02 0000', 0x82, 4],
  ['topic alias 0', '30 07 000161 03 230000', 0x94],
  ['payload format 2', '30 06 000161 02 0102', 0x81],
  ['a wildcard in the response topic', '30 09 000161 05 08 0002 612b', 0x82],
  ['a user property that is not UTF-8', '30 0b 000161 07 26 0001ff 000161', 0x81],
  ['a property length that ends beyond the packet', '30 05 000161 09 01', 0x81],
  ['a property length of five bytes', '30 09 000161 8080808001', 0x81],
  ['a property length with a byte too many', '30 05 000161 8000', 0x81],
  ['a remaining length with a byte too many', '30 8400 000161 00', 0x81],
  ['SUBSCRIBE without filter', '82 03 0001 00', 0x82],
  ['SUBSCRIBE without filter, MQTT 3.1.1', '82 02 0001', 0x82, 4],
  ['SUBSCRIBE with an empty filter', '82 06 0001 00 0000 00', 0x81],
  ['SUBSCRIBE with a filter that is not UTF-8', '82 07 0001 00 0001ff 00', 0x81],
  ['SUBSCRIBE without options', '82 06 0001 00 000161', 0x81],
  ['SUBSCRIBE with QoS 3', '82 07 0001 00 000161 03', 0x82],
  ['SUBSCRIBE with reserved options', '82 07 0001 00 000161 40', 0x81],
  ['SUBSCRIBE with Retain Handling 3', '82 07 0001 00 000161 30', 0x82],
  ['subscription identifier 0', '82 09 0001 02 0b00 000161 00', 0x82],
  ['UNSUBSCRIBE without filter', 'a2 03 0001 00', 0x82],
  ['wrong flags', '80 07 0001 00 000161 00', 0x81],
  ['PINGREQ with a body', 'c0 01 00', 0x81],
  ['a PUBACK that is too long, MQTT 3.1.1', '40 03 0001 00', 0x81, 4],
  ['a reason code that PUBACK does not have', '40 03 0001 01', 0x82],
  ['a reason code that only a server sends', 'e0 01 8b', 0x82],
  ['DISCONNECT with a body, MQTT 3.1.1', 'e0 01 00', 0x81, 4],
  ['a packet that only a server sends', '20 02 00 00', 0x82],
  ['packet type 0', '00 00', 0x81],
  ['AUTH without a method', 'f0 00', 0x82],
  ['AUTH, MQTT 3.1.1', 'f0 00', 0x81, 4],
  ['a second CONNECT', '10 0d 00044d5154540402003c 000161', 0x82],
])('%s', (_, hex, reason, version = 5) => expect(judge(hex, version)).toBe(reason))

test.each<[string, string, number]>([
  ['another packet first', 'c0 00', 0x82],
  ['another protocol name', '10 0d 00044d5154580402003c 000161', 0x81],
  ['a version that is not supported', '10 0d 00044d5154540602003c 000161', 0x84],
  ['the reserved flag', '10 0d 00044d5154540403003c 000161', 0x81],
  ['will QoS without a will', '10 0d 00044d515454040a003c 000161', 0x81],
  ['will QoS 3', '10 0d 00044d515454041e003c 000161', 0x81],
  ['a password without a user name, MQTT 3.1.1', '10 10 00044d5154540442003c 000161 000162', 0x81],
  ['a client identifier with U+0000', '10 0d 00044d5154540402003c 000100', 0x81],
  ['a user name that is not there', '10 0d 00044d5154540482003c 000161', 0x81],
  ['bytes after the last field', '10 0e 00044d5154540402003c 000161 00', 0x81],
  ['Receive Maximum 0', '10 11 00044d5154540502003c 03 210000 000161', 0x82],
  ['Maximum Packet Size 0', '10 13 00044d5154540502003c 05 2700000000 000161', 0x82],
  ['Request Problem Information 2', '10 10 00044d5154540502003c 02 1702 000161', 0x82],
])('CONNECT: %s', (_, hex, reason) => expect(judge(hex, undefined)).toBe(reason))
