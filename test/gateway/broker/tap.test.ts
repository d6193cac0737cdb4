// What a device sends while aedes is not ready for it yet; the rest of the tap is tested through the broker.
import { EventEmitter } from 'node:events'
import fc from 'fast-check'
import { generate, type Packet, parser } from 'mqtt-packet'
import { expect, test } from 'vitest'
import { type Takers, type TapClient, tap } from '../../../gateway/broker/tap.ts'
import { aPublish } from '../../helpers/raw-mqtt.ts'

function aTapped() {
  const parser = Object.assign(new EventEmitter(), { parse: () => 0, error: null, _list: { length: 0 }, _stateCounter: 0 })
  parser.on('packet', () => {})
  const errors: Error[] = []
  const taken: number[] = []
  const state = { connected: false, connackSent: false, closed: false, _parser: parser, _keepaliveInterval: 0, _keepaliveTimer: null }
  const client = Object.assign(new EventEmitter(), state)
  client.on('error', (error) => errors.push(error))
  let released = 0
  const takers = {
    publish: ({ messageId = 0 }: { readonly messageId?: number | undefined }) => taken.push(messageId) > 0,
    frame: () => false,
    ...{ subscribe: () => undefined, unsubscribe: () => undefined, puback: () => {} },
  }
  const tapped = tap(client as unknown as TapClient, takers, () => {
    released++
  })
  parser.emit('packet', { cmd: 'connect' })
  const publish = (count: number) => {
    for (let i = 1; i <= count; i++) parser.emit('packet', aPublish(i))
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

/** With mqtt-packet's own parser, for what comes as bytes. */
function aTappedParser(protocolVersion: number) {
  const parse = parser({ protocolVersion })
  const seen: string[] = []
  const names = { publish: 'P', subscribe: 'S', puback: 'A' } as Readonly<Record<string, string>>
  const note = ({ cmd, messageId = 0 }: Packet, how = '') => void seen.push(`${names[cmd] ?? cmd}${messageId}${how}`)
  parse.on('packet', (packet) => note(packet))
  const faults: Error[] = []
  parse.on('error', (error) => faults.push(error))
  const state = {
    connected: true,
    connackSent: true,
    closed: false,
    version: protocolVersion,
    _keepaliveInterval: 0,
    _keepaliveTimer: null,
  }
  const client = Object.assign(new EventEmitter(), state, { _parser: parse })
  let pieces = 0
  const parseWhole = parse.parse.bind(parse)
  parse.parse = (bytes) => {
    pieces++
    return parseWhole(bytes)
  }
  const takers: Takers = {
    publish: (packet) => note(packet as Packet) === undefined,
    frame(bytes, { topicStart, topicEnd, packetId }) {
      if (bytes.toString('utf8', topicStart, topicEnd) !== 'known') return false
      seen.push(`P${packetId}`)
      return true
    },
    subscribe(packet) {
      note(packet as Packet)
      return undefined
    },
    unsubscribe: () => undefined,
    puback: (packet) => note({ cmd: 'puback', ...packet } as Packet),
  }
  tap(client as unknown as TapClient, takers, () => {})
  const feed = (bytes: Buffer) => client._parser.parse(bytes)
  feed(
    generate({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: protocolVersion as 4 | 5, clean: true, clientId: 'x', keepalive: 0 }),
  )
  return { feed, seen, faults, pieces: () => pieces }
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
      fc.constantFrom(4, 5),
      fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1 }),
      (kinds, protocolVersion, cuts) => {
        const sent = kinds.map((kind, i) => {
          const messageId = 'qos' in kind && kind.qos === 0 ? 0 : i + 1
          if (kind.cmd === 'subscribe') return { cmd: 'subscribe', messageId, subscriptions: [{ topic: 'a', qos: 0 }] }
          if (!('topic' in kind)) return { cmd: 'puback', messageId }
          return { cmd: 'publish', messageId, topic: kind.topic, qos: kind.qos, payload: Buffer.alloc(kind.size) }
        })
        const bytes = Buffer.concat(sent.map((packet) => generate(packet as Packet, { protocolVersion })))
        const { feed, seen, faults } = aTappedParser(protocolVersion)
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const end = at + cuts[i % cuts.length]!
          feed(bytes.subarray(at, end))
          at = end
        }
        const letters = { publish: 'P', subscribe: 'S', puback: 'A' } as Readonly<Record<string, string>>
        expect(faults).toEqual([])
        expect(seen.slice(1)).toEqual(sent.map(({ cmd, messageId }) => `${letters[cmd]}${messageId}`))
      },
    ),
    { numRuns: 60 },
  )
})

test.each([
  ['short', 60_000, false],
  ['long', 130_000, false],
  ['for the broker', 130_000, true],
])('a %s PUBLISH that comes byte by byte is not searched byte by byte', (_, size, retain) => {
  const { feed, seen, pieces } = aTappedParser(4)
  const before = pieces()
  const bytes = generate({ cmd: 'publish', topic: 'other', payload: Buffer.alloc(size), qos: 1, messageId: 7, retain, dup: false })
  for (let at = 0; at < bytes.length; at++) feed(bytes.subarray(at, at + 1))
  expect(seen).toEqual(['connect0', 'P7'])
  expect(pieces() - before).toBeLessThan(20)
})
