// The bytes of a CONNACK, before and after.
import { PassThrough } from 'node:stream'
import { generate, type Packet, parser } from 'mqtt-packet'
import { expect, test } from 'vitest'
import { amendConnack, type Connack, feature } from '../../../gateway/broker/connack.ts'

const features = { [feature.maximumQos]: 1, [feature.sharedSubscriptionAvailable]: 1, [feature.subscriptionIdentifiersAvailable]: 0 }

/** What a client parses when the packet is written in pieces of so many bytes, and another one follows. */
function through(packet: Packet, connack: Connack | undefined, version: 4 | 5, size: number): Packet[] {
  const stream = new PassThrough()
  const unlimited = { maxBytes: () => Number.POSITIVE_INFINITY, onTooLarge: () => expect.unreachable() }
  amendConnack(stream, { amend: () => connack, version: () => version, ...unlimited })
  const bytes = generate(packet, { protocolVersion: version })
  for (let at = 0; at < bytes.length; at += size) stream.write(bytes.subarray(at, at + size))
  stream.write(generate({ cmd: 'pingresp' }))
  const packets: Packet[] = []
  const parse = parser({ protocolVersion: version })
  parse.on('packet', (found) => packets.push(found))
  parse.parse(stream.read())
  return packets
}

const own = {
  assignedClientIdentifier: 'f-1',
  serverKeepAlive: 30,
  receiveMaximum: 100,
  maximumPacketSize: 149_504,
  topicAliasMaximum: 8,
  sessionExpiryInterval: 3_600,
  sharedSubscriptionAvailable: false,
}

test.each([1, 3, 1_000])('MQTT 5: what the broker does is added, what was there stays; written %i bytes at a time', (size) => {
  const packets = through(
    { cmd: 'connack', reasonCode: 0, sessionPresent: false, properties: own },
    { sessionPresent: true, features },
    5,
    size,
  )
  expect(packets).toMatchObject([
    {
      cmd: 'connack',
      sessionPresent: true,
      reasonCode: 0,
      properties: { ...own, maximumQoS: 1, sharedSubscriptionAvailable: true, subscriptionIdentifiersAvailable: false },
    },
    { cmd: 'pingresp' },
  ])
})

test('MQTT 3.1.1 has no properties: only whether a session goes on', () => {
  expect(through({ cmd: 'connack', returnCode: 0, sessionPresent: false }, { sessionPresent: true, features }, 4, 2)).toMatchObject([
    { cmd: 'connack', returnCode: 0, sessionPresent: true },
    { cmd: 'pingresp' },
  ])
})

test('a refusal of MQTT 5 has the reason it is given', () => {
  const refusal = { sessionPresent: false, reasonCode: 151, features: {} }
  expect(through({ cmd: 'connack', reasonCode: 136, sessionPresent: false }, refusal, 5, 1)[0]).toMatchObject({ reasonCode: 151 })
})

test('without anything to say the packet passes as it is', () => {
  expect(through({ cmd: 'connack', returnCode: 5, sessionPresent: false }, undefined, 4, 1)[0]).toMatchObject({ returnCode: 5 })
})

test('a CONNACK that is larger than the client accepts is not sent [MQTT-3.1.2-24]', () => {
  const stream = new PassThrough()
  const refused: number[] = []
  const amend = () => ({ sessionPresent: false, features })
  amendConnack(stream, { amend, version: () => 5, maxBytes: () => 10, onTooLarge: (bytes) => refused.push(bytes) })
  stream.write(generate({ cmd: 'connack', reasonCode: 0, sessionPresent: false }, { protocolVersion: 5 }))
  expect(refused).toEqual([11])
  expect(stream.read()).toBeNull()
})
