// The read loop on bytes in memory, with a stand-in for aedes; its other cases are tested through the broker.
import fc from 'fast-check'
import { generate, type Packet } from 'mqtt-packet'
import { expect, test } from 'vitest'
import { type PacketHandlers, type ReadClient, ReadLoop } from '../../../gateway/broker/read-loop.ts'
import { aPublish } from '../../helpers/raw-mqtt.ts'

const aConnect = (protocolVersion: 4 | 5) =>
  generate({ cmd: 'connect', protocolId: 'MQTT', protocolVersion, clean: true, clientId: 'x', keepalive: 0 })

const noHandlers: PacketHandlers = {
  publish: () => {},
  frame: () => false,
  subscribe: () => undefined,
  unsubscribe: () => undefined,
  ack: () => {},
  illegal: (error) => expect.unreachable(error.message),
}
const onError = (error: unknown) => expect.unreachable(String(error))
const limits = { maxPacketBytes: 1_000_000, maxTopicAlias: 8, onError }

type Seen = { readonly cmd: string; readonly messageId?: number | undefined }

/** aedes' side of a connection: `feed` gives bytes to the read loop, `connect` emits `connected`. */
function aClient(handle: (packet: Seen) => void = () => {}) {
  const errors: string[] = []
  let parse = (_bytes: Buffer) => {}
  const listeners: (() => void)[] = []
  const client = {
    ...{ closed: false, connackSent: false as boolean, connected: false as boolean, disconnectReasonCode: null },
    fail: ({ message }: Error) => void errors.push(message),
    handle,
    onceConnected: (listener: () => void) => void listeners.push(listener),
    readWith(read: (bytes: Buffer) => void) {
      parse = read
    },
    touch: () => {},
  } satisfies ReadClient
  const connect = () => {
    client.connected = true
    for (const listener of listeners) listener()
  }
  return { client, errors, connect, feed: (bytes: Buffer) => parse(bytes) }
}

function aConnecting() {
  const { client, errors, connect, feed } = aClient()
  const taken: number[] = []
  const handlers = { ...noHandlers, publish: ({ messageId = 0 }: Pick<Seen, 'messageId'>) => void taken.push(messageId) }
  let released = 0
  const loop = new ReadLoop(client, { ...limits, handlers, onReleased: () => void released++ })
  feed(aConnect(4))
  const publish = (count: number) => {
    for (let i = 1; i <= count; i++) feed(generate(aPublish(i)))
  }
  return { client, loop, errors, taken, publish, connect, released: () => released }
}

test('packets that follow CONNECT wait, no further bytes are read, and the packets are taken in order', () => {
  const { client, loop, errors, taken, publish, connect, released } = aConnecting()
  client.connackSent = true
  publish(100)
  expect({ errors, taken, waiting: loop.isWaiting() }).toEqual({ errors: [], taken: [], waiting: true })
  connect()
  expect(taken).toEqual(Array.from({ length: 100 }, (_, i) => i + 1))
  expect({ waiting: loop.isWaiting(), released: released() }).toEqual({ waiting: false, released: 1 })
})

test('before the CONNACK there is room for 42 packets', () => {
  const { errors, publish } = aConnecting()
  publish(42)
  expect(errors).toEqual([])
  publish(1)
  expect(errors).toEqual(['too many packets before CONNACK'])
})

/** A client that is connected; `seen` has its packets in the order in which they took effect. */
function aConnected(protocolVersion: 4 | 5) {
  const seen: string[] = []
  const topics: string[] = []
  const names = { publish: 'P', subscribe: 'S', puback: 'A' } as Readonly<Record<string, string>>
  const note = ({ cmd, messageId = 0 }: Seen) => void seen.push(`${names[cmd] ?? cmd}${messageId}`)
  const { client, connect, feed } = aClient(note)
  const handlers: PacketHandlers = {
    ...noHandlers,
    publish(packet) {
      note(packet)
      topics.push(packet.topic)
    },
    frame(bytes, { topicStart, topicEnd, packetId }) {
      if (bytes.toString('utf8', topicStart, topicEnd) !== 'known') return false
      seen.push(`P${packetId}`)
      return true
    },
    subscribe: (packet) => note(packet) as undefined,
    ack: note,
    illegal: (error) => seen.push(`illegal ${error.reasonCode}`),
  }
  const loop = new ReadLoop(client, { ...limits, handlers, onReleased: () => {} })
  client.connackSent = true
  feed(aConnect(protocolVersion))
  connect()
  return { feed, seen, topics, loop }
}

const packets = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        cmd: fc.constant('publish'),
        topic: fc.constantFrom('known', 'other'),
        size: fc.nat({ max: 200 }),
        qos: fc.constantFrom(0, 1),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ cmd: fc.constant('publish'), topic: fc.constant('known'), size: fc.constant(70_000), qos: fc.constant(1) }),
    },
    { weight: 1, arbitrary: fc.constant({ cmd: 'subscribe' }) },
    { weight: 1, arbitrary: fc.constant({ cmd: 'puback' }) },
  ),
  { minLength: 1, maxLength: 20 },
)

test('however the bytes are cut, every packet is seen once and in its order, by whichever way', () => {
  fc.assert(
    fc.property(
      packets,
      fc.constantFrom(4 as const, 5 as const),
      fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1 }),
      (kinds, protocolVersion, cuts) => {
        const sent = kinds.map((kind, i) => {
          const messageId = 'qos' in kind && kind.qos === 0 ? 0 : i + 1
          if (kind.cmd === 'subscribe') return { cmd: 'subscribe', messageId, subscriptions: [{ topic: 'a', qos: 0 }] }
          if (!('topic' in kind)) return { cmd: 'puback', messageId }
          return { cmd: 'publish', messageId, topic: kind.topic, qos: kind.qos, payload: Buffer.alloc(kind.size) }
        })
        const bytes = Buffer.concat(sent.map((packet) => generate(packet as Packet, { protocolVersion })))
        const { feed, seen } = aConnected(protocolVersion)
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const end = at + cuts[i % cuts.length]!
          feed(bytes.subarray(at, end))
          at = end
        }
        const letters = { publish: 'P', subscribe: 'S', puback: 'A' } as Readonly<Record<string, string>>
        expect(seen.slice(1)).toEqual(sent.map(({ cmd, messageId }) => `${letters[cmd]}${messageId}`))
      },
    ),
    { numRuns: 60 },
  )
})

test('an illegal packet is the last one that is read, and those before it take effect first', () => {
  const { feed, seen, loop } = aConnected(5)
  const publish = (messageId: number) => generate({ ...aPublish(messageId), topic: 'other' }, { protocolVersion: 5 })
  feed(Buffer.concat([publish(1), Buffer.from('3205000161000000', 'hex').subarray(0, 7), publish(2)]))
  feed(publish(3))
  expect(seen).toEqual(['connect0', 'P1', 'illegal 130'])
  expect(loop.isWaiting()).toBe(true)
})

test.each([
  ['a packet type that no client may send first', '3005'],
  ['reserved flags', '1105'],
])('bytes that cannot become a legal packet are refused before the packet is whole: %s', (_, hex) => {
  const { client, feed } = aClient()
  const refused: number[] = []
  const handlers = { ...noHandlers, illegal: ({ reasonCode }: { readonly reasonCode: number }) => void refused.push(reasonCode) }
  new ReadLoop(client, { ...limits, handlers, onReleased: () => {} })
  feed(Buffer.from(hex, 'hex'))
  expect(refused).toHaveLength(1)
})

test('a PUBLISH that comes byte by byte is copied once in each doubling, not once for each byte', () => {
  const { feed, seen } = aConnected(4)
  const bytes = generate({ cmd: 'publish', topic: 'other', payload: Buffer.alloc(130_000), qos: 1, messageId: 7, retain: true, dup: false })
  for (let at = 0; at < bytes.length; at++) feed(bytes.subarray(at, at + 1))
  expect(seen).toEqual(['connect0', 'P7'])
})

const aliased = (messageId: number, topic: string, topicAlias: number) =>
  generate({ ...aPublish(messageId, { topic }), properties: { topicAlias } }, { protocolVersion: 5 })

test('a topic alias stands for the topic that it was given last', () => {
  const { feed, topics } = aConnected(5)
  feed(Buffer.concat([aliased(1, 'a', 1), aliased(2, '', 1), aliased(3, 'b', 1), aliased(4, 'c', 8), aliased(5, '', 1), aliased(6, '', 8)]))
  expect(topics).toEqual(['a', 'a', 'b', 'c', 'b', 'c'])
})

test.each([
  ['unknown', '', 3, 130],
  ['above the maximum', 'a', 9, 148],
  ['above the maximum, without a topic', '', 9, 148],
])('a topic alias that is %s ends the connection after the packets before it [MQTT5-3.3.2.3.4]', (_, topic, alias, reason) => {
  const { feed, seen } = aConnected(5)
  feed(Buffer.concat([aliased(1, 'a', 1), aliased(2, topic, alias), aliased(3, 'b', 2)]))
  expect(seen).toEqual(['connect0', 'P1', `illegal ${reason}`])
})
