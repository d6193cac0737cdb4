// What a device sends while aedes is not ready for it yet; the rest of the tap is tested through the broker.
import { EventEmitter } from 'node:events'
import fc from 'fast-check'
import { generate, type Packet } from 'mqtt-packet'
import { expect, test } from 'vitest'
import { type Takers, type TapClient, tap } from '../../../gateway/broker/tap.ts'
import { aPublish } from '../../helpers/raw-mqtt.ts'

const aConnect = (protocolVersion: 4 | 5) =>
  generate({ cmd: 'connect', protocolId: 'MQTT', protocolVersion, clean: true, clientId: 'x', keepalive: 0 })

const noTakers: Takers = {
  publish: () => false,
  frame: () => false,
  subscribe: () => undefined,
  unsubscribe: () => undefined,
  ack: () => {},
  illegal: (error) => expect.unreachable(error.message),
}
const onError = (error: unknown) => expect.unreachable(String(error))

function aTapped() {
  const parser = Object.assign(new EventEmitter(), { parse: (_bytes: Buffer) => {} })
  parser.on('packet', () => {})
  const errors: Error[] = []
  const taken: number[] = []
  const state = {
    connected: false,
    connackSent: false,
    closed: false,
    disconnectReasonCode: null,
    _parser: parser,
    _keepaliveInterval: 0,
    _keepaliveTimer: null,
  }
  const client = Object.assign(new EventEmitter(), state)
  client.on('error', (error) => errors.push(error))
  let released = 0
  const takers = { ...noTakers, publish: ({ messageId = 0 }: { readonly messageId?: number | undefined }) => taken.push(messageId) > 0 }
  const onReleased = () => void released++
  const tapped = tap(client as unknown as TapClient, { maxPacketBytes: 1_000_000, takers, onReleased, onError })
  parser.parse(aConnect(4))
  const publish = (count: number) => {
    for (let i = 1; i <= count; i++) parser.parse(generate(aPublish(i)))
  }
  return { client, tapped, errors, taken, publish, released: () => released }
}

test('what comes right behind the CONNACK waits, unread beyond what is here, and is taken in order', () => {
  const { client, tapped, errors, taken, publish, released } = aTapped()
  client.connackSent = true
  publish(100)
  expect({ errors, taken, holding: tapped.isHolding() }).toEqual({ errors: [], taken: [], holding: true })
  client.connected = true
  client.emit('connected')
  expect(taken).toEqual(Array.from({ length: 100 }, (_, i) => i + 1))
  expect({ holding: tapped.isHolding(), released: released() }).toEqual({ holding: false, released: 1 })
})

test('before the CONNACK there is room for 42 packets', () => {
  const { errors, publish } = aTapped()
  publish(42)
  expect(errors).toEqual([])
  publish(1)
  expect(errors.map(({ message }) => message)).toEqual(['too many packets before CONNACK'])
})

/** A client that is connected; `seen` has its packets in the order in which they took effect. */
function aTappedStream(protocolVersion: 4 | 5) {
  const seen: string[] = []
  const names = { publish: 'P', subscribe: 'S', puback: 'A' } as Readonly<Record<string, string>>
  const note = ({ cmd, messageId = 0 }: { readonly cmd: string; readonly messageId?: number | undefined }) =>
    void seen.push(`${names[cmd] ?? cmd}${messageId}`)
  const parser = Object.assign(new EventEmitter(), { parse: (_bytes: Buffer) => {} })
  parser.on('packet', note)
  const state = {
    connected: false,
    connackSent: true,
    closed: false,
    disconnectReasonCode: null,
    version: protocolVersion,
    _keepaliveInterval: 0,
    _keepaliveTimer: null,
  }
  const client = Object.assign(new EventEmitter(), state, { _parser: parser })
  const takers: Takers = {
    ...noTakers,
    publish: (packet) => note(packet) === undefined,
    frame(bytes, { topicStart, topicEnd, packetId }) {
      if (bytes.toString('utf8', topicStart, topicEnd) !== 'known') return false
      seen.push(`P${packetId}`)
      return true
    },
    subscribe: (packet) => note(packet) as undefined,
    ack: note,
    illegal: (error) => seen.push(`illegal ${error.reasonCode}`),
  }
  const tapped = tap(client as unknown as TapClient, { maxPacketBytes: 200_000, takers, onReleased: () => {}, onError })
  const feed = (bytes: Buffer) => parser.parse(bytes)
  feed(aConnect(protocolVersion))
  client.connected = true
  return { feed, seen, tapped }
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
        const { feed, seen } = aTappedStream(protocolVersion)
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
  const { feed, seen, tapped } = aTappedStream(5)
  const publish = (messageId: number) => generate({ ...aPublish(messageId), topic: 'other' }, { protocolVersion: 5 })
  feed(Buffer.concat([publish(1), Buffer.from('3205000161000000', 'hex').subarray(0, 7), publish(2)]))
  feed(publish(3))
  expect(seen).toEqual(['connect0', 'P1', 'illegal 130'])
  expect(tapped.isHolding()).toBe(true)
})

test.each([
  ['a packet type that no client may send first', '3005'],
  ['reserved flags', '1105'],
])('bytes that cannot become a legal packet are refused before the packet is whole: %s', (_, hex) => {
  const parser = Object.assign(new EventEmitter(), { parse: (_bytes: Buffer) => {} })
  parser.on('packet', () => {})
  const client = Object.assign(new EventEmitter(), { closed: false, disconnectReasonCode: null, _parser: parser, _keepaliveInterval: 0 })
  const refused: number[] = []
  const takers = { ...noTakers, illegal: ({ reasonCode }: { readonly reasonCode: number }) => void refused.push(reasonCode) }
  tap(client as unknown as TapClient, { maxPacketBytes: 1_000, takers, onReleased: () => {}, onError })
  parser.parse(Buffer.from(hex, 'hex'))
  expect(refused).toHaveLength(1)
})

test('a PUBLISH that comes byte by byte is copied once in each doubling, not once for each byte', () => {
  const { feed, seen } = aTappedStream(4)
  const bytes = generate({ cmd: 'publish', topic: 'other', payload: Buffer.alloc(130_000), qos: 1, messageId: 7, retain: true, dup: false })
  for (let at = 0; at < bytes.length; at++) feed(bytes.subarray(at, at + 1))
  expect(seen).toEqual(['connect0', 'P7'])
})
