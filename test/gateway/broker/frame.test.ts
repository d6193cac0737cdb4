// The short way into a PUBLISH, held against the parser that takes it apart.
import fc from 'fast-check'
import { generate, type IPublishPacket, parser } from 'mqtt-packet'
import { expect, test } from 'vitest'
import { createFrame, type Frame, locatePublish, readHeader } from '../../../gateway/broker/frame.ts'
import { IllegalPacket } from '../../../gateway/broker/packets/illegal.ts'

const versions = fc.constantFrom(4, 5)

const publishes = fc.record({
  cmd: fc.constant('publish' as const),
  topic: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }),
  payload: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  qos: fc.constantFrom(0, 1, 2),
  retain: fc.boolean(),
  dup: fc.boolean(),
  messageId: fc.integer({ min: 1, max: 65_535 }),
  properties: fc.option(fc.constant({ contentType: 'text/plain' }), { nil: undefined }),
})

/** `short`: the bytes end before the packet does. */
function find(bytes: Buffer, at: number, version: number, frame: Frame): 'publish' | 'short' | 'other' {
  if (!readHeader(bytes, at, frame) || frame.end > bytes.length) return 'short'
  return locatePublish(bytes, at, version, frame) ? 'publish' : 'other'
}

const bytesOf = (packet: object, version: number) => generate(packet as IPublishPacket, { protocolVersion: version })

function parsed(bytes: Buffer, protocolVersion: number): IPublishPacket {
  const packets: IPublishPacket[] = []
  const parse = parser({ protocolVersion })
  parse.on('packet', (packet) => packets.push(packet as IPublishPacket))
  parse.parse(bytes)
  return packets[0]!
}

test('what is found is what the parser finds; all that is not usual is left to it', () => {
  fc.assert(
    fc.property(publishes, versions, fc.uint8Array({ maxLength: 9 }), (packet, version, before) => {
      const sent = { ...packet, dup: packet.dup && packet.qos > 0 }
      const bytes = bytesOf(sent, version)
      const at = before.length
      const frame = createFrame()
      const found = find(Buffer.concat([before, bytes, Buffer.from([0x32])]), at, version, frame)
      const usual = packet.qos < 2 && !packet.retain && (version === 4 || !packet.properties)
      expect(found).toBe(usual ? 'publish' : 'other')
      expect(frame.end).toBe(at + bytes.length)
      if (!usual) return
      const { topic, payload, qos, messageId = 0, length } = parsed(bytes, version)
      expect(bytes.toString('utf8', frame.topicStart - at, frame.topicEnd - at)).toBe(topic)
      expect(bytes.subarray(frame.payloadStart - at).equals(payload as Buffer)).toBe(true)
      expect([frame.qos, frame.packetId, frame.end - frame.start]).toEqual([qos, messageId, length])
    }),
  )
})

test('bytes that end early are never taken for a whole packet', () => {
  fc.assert(
    fc.property(publishes, versions, fc.nat(), (packet, version, cut) => {
      const bytes = bytesOf(packet, version)
      expect(find(bytes.subarray(0, 1 + (cut % (bytes.length - 1))), 0, version, createFrame())).toBe('short')
    }),
  )
})

function found(bytes: Buffer, version: number, frame: Frame) {
  try {
    return find(bytes, 0, version, frame)
  } catch (error) {
    expect(error).toBeInstanceOf(IllegalPacket)
    return 'illegal'
  }
}

test('whatever the bytes are, nothing is found outside of them', () => {
  const spoilt = fc
    .tuple(publishes, versions, fc.nat(), fc.nat({ max: 255 }))
    .map(([packet, version, at, byte]) => [Buffer.from(bytesOf(packet, version)), version, at, byte] as const)
  fc.assert(
    fc.property(spoilt, ([bytes, version, at, byte]) => {
      bytes[at % bytes.length] = byte
      const frame = createFrame()
      if (found(bytes, version, frame) !== 'publish') return
      const { topicStart, topicEnd, payloadStart, end } = frame
      const places = [0, topicStart, topicEnd, payloadStart, end, bytes.length]
      expect(places).toEqual(places.toSorted((a, b) => a - b))
    }),
    { numRuns: 2_000 },
  )
})

test.each([
  ['packet id 0', [0x32, 5, 0, 1, 0x61, 0, 0]],
  ['a topic that ends behind the packet', [0x30, 3, 0, 9, 0x61]],
  ['no room for a topic', [0x30, 1, 0]],
  ['no room for a packet id', [0x32, 4, 0, 1, 0x61, 0]],
])('for the parser to judge: %s', (_, bytes) => expect(find(Buffer.from(bytes), 0, 4, createFrame())).toBe('other'))

test('a remaining length of five bytes is malformed [MQTT5-1.5.5]', () => {
  expect(() => readHeader(Buffer.from('30ffffffff01', 'hex'), 0, createFrame())).toThrow('more than four bytes')
})
