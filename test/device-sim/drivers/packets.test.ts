import fc from 'fast-check'
import { type IPublishPacket, parser } from 'mqtt-packet'
import { expect, test } from 'vitest'
import { encodePublish, readPackets } from '../../../device-sim/drivers/packets.ts'

const parse = (bytes: Buffer): Promise<IPublishPacket> =>
  new Promise((resolve, reject) => {
    const reader = parser({ protocolVersion: 4 })
    reader.on('packet', (packet) => resolve(packet as IPublishPacket))
    reader.on('error', reject)
    reader.parse(bytes)
  })

test.each([0, 1, 100, 127, 128, 16_000, 16_383, 16_384, 200_000])(
  'a PUBLISH with %i bytes of payload is what mqtt-packet reads',
  async (length) => {
    const payload = Buffer.alloc(length, 'x')
    const packet = await parse(encodePublish('dt/wärme/x', payload, 513))
    expect(packet).toMatchObject({ topic: 'dt/wärme/x', qos: 1, messageId: 513 })
    expect(Buffer.compare(packet.payload as Buffer, payload)).toBe(0)
    expect(await parse(encodePublish('t', payload, 0))).toMatchObject({ qos: 0 })
  },
)

test('packets are found wherever the network cuts the stream', () => {
  const sizes = [0, 1, 126, 127, 128, 300, 20_000]
  const stream = Buffer.concat(sizes.map((size) => encodePublish('t', Buffer.alloc(size), 0)))
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 3_000 }), { minLength: 1 }), (cuts) => {
      const found: number[] = []
      let torn: Uint8Array | undefined
      for (let at = 0, i = 0; at < stream.length; at += cuts[i++ % cuts.length]!) {
        const chunk = stream.subarray(at, at + cuts[i % cuts.length]!)
        torn = readPackets(torn ? Buffer.concat([torn, chunk]) : chunk, (_, body) => found.push(body.length - 3))
      }
      expect(torn).toBeUndefined()
      expect(found).toEqual(sizes)
    }),
    { numRuns: 50 },
  )
})

test('a remaining length of five bytes is refused', () => {
  expect(() => readPackets(Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 1]), () => undefined)).toThrow('MQTT-2.2.3')
})
