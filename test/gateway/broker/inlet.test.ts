// Every PUBLISH takes one path. On real sockets a device sees no difference between those with and without subscribers.
import type { IPublishPacket } from 'mqtt-packet'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Session } from '../../../gateway/access/access.ts'
import type { AckClient } from '../../../gateway/broker/ack-queue.ts'
import type { Broker } from '../../../gateway/broker/broker.ts'
import { createEmbeddedBroker } from '../../../gateway/broker/embedded.ts'
import { Inlet } from '../../../gateway/broker/inlet.ts'
import type { PublishPacket } from '../../../gateway/broker/packet.ts'
import { createSubscriptions } from '../../../gateway/broker/subscriptions.ts'
import { GatewayError } from '../../../gateway/errors.ts'
import type { Door } from '../../../gateway/listen/door.ts'
import { createMqttDoor } from '../../../gateway/listen/mqtt.ts'
import type { Message } from '../../../gateway/message/message.ts'
import { systemClock } from '../../../lib/clock.ts'
import { createTestAccess, noRates } from '../../helpers/access.ts'
import { aPublish, aRawDevice } from '../../helpers/raw-mqtt.ts'
import { createSpyObserve, type SpyObserve } from '../../helpers/spy-observe.ts'

const versions = [
  ['MQTT 3.1.1', 4],
  ['MQTT 5', 5],
] as const

let broker: Broker
let door: Door
let port: number
let observe: SpyObserve
let ingested: Message[]
let ingest: (message: Message) => Promise<void>

beforeEach(async () => {
  observe = createSpyObserve()
  ingested = []
  ingest = async () => {}
  let id = 0
  broker = createEmbeddedBroker({
    ingest(message) {
      ingested.push(message)
      return ingest(message)
    },
    access: createTestAccess(noRates, observe),
    observe,
    clock: systemClock,
    ids: () => `id-${id++}`,
  })
  await broker.start()
  door = createMqttDoor({ host: '127.0.0.1', port: 0, flag: '--mqtt-port', broker, observe })
  port = await door.start()
})

afterEach(async () => {
  await broker.stop()
  await door.stop()
})

describe('one path', () => {
  let session: Session
  beforeEach(async () => {
    session = await createTestAccess(noRates, observe).enter({ transport: 'mqtt', loopback: true })
  })

  /** `pipeline`: given to `ingest` alone. `keep`: given to the delivery. `refused`: neither. */
  const wayOf = (packet: Partial<PublishPacket>, subscribed: string[] = []) => {
    const subscriptions = createSubscriptions<string>()
    for (const filter of subscribed) subscriptions.add(filter, 'dashboard')
    const ways: string[] = []
    const inlet = new Inlet({
      client: { closed: true } as AckClient,
      onRoom: () => {},
      ingest: async () => void ways.push('pipeline'),
      fanOut: {
        async keep() {
          ways.push('keep')
          return []
        },
        send: () => {},
      },
      observe,
      clock: systemClock,
      ids: () => 'id',
      subscriptions,
      onError: (error) => expect.unreachable(String(error)),
      session: () => session,
      onRefused({ qos, packetId }, error) {
        ways.push(`refused ${packetId} at QoS ${qos}: ${(error as GatewayError).code}`)
        return false
      },
    })
    inlet.take({ ...aPublish(1), payload: Buffer.from('x'), length: 40, ...packet } as PublishPacket)
    return ways
  }

  test.each<[string, Partial<PublishPacket>]>([
    ['QoS 1', {}],
    ['QoS 0', { qos: 0, messageId: undefined }],
    ['a duplicate', { dup: true }],
    ['a topic alias', { properties: { topicAlias: 1 } }],
    ['properties that only travel', { properties: { contentType: 'text/plain', userProperties: [['a', 'b']], responseTopic: 'a/b' } }],
  ])('to the pipeline alone: %s', (_, packet) => expect(wayOf(packet, ['somebody/else', '+'])).toEqual(['pipeline']))

  test.each<[string, Partial<PublishPacket>, string[]]>([
    ['a retained message', { retain: true }, []],
    ['a message with a subscriber', {}, ['dt/#']],
  ])('to the pipeline and to sessions: %s', (_, packet, subscribed) => expect(wayOf(packet, subscribed)).toEqual(['keep']))

  test('refuses QoS 2', () => expect(wayOf({ qos: 2 })).toEqual(['refused 1 at QoS 2: QOS_NOT_SUPPORTED']))
})

describe.each(versions)('%s', (_, protocolVersion) => {
  test('the same bytes become the same message, and the same answer', async () => {
    const properties = {
      contentType: 'application/json',
      correlationData: Buffer.from('7'),
      userProperties: { site: ['a', 'b'] },
      messageExpiryInterval: 60,
    }
    const packets: IPublishPacket[] = [
      aPublish(1),
      aPublish(2, { payload: Buffer.alloc(0) }),
      aPublish(3, { dup: true, topic: '$aws/rules/telemetry/dt/coldchain/acme' }),
      { ...aPublish(0, { qos: 0, topic: 'no/tenant' }), messageId: undefined } as never,
      aPublish(65_535, protocolVersion === 5 ? { properties } : {}),
    ]
    const device = await aRawDevice(port, { protocolVersion })
    device.send(...packets)
    const early = await device.next('puback', 4)
    const [watcher] = await Promise.all([aRawDevice(port, { clientId: 'watcher', protocolVersion })])
    watcher.send({
      cmd: 'subscribe',
      messageId: 1,
      subscriptions: [{ topic: '#', qos: 0 }],
    } as never)
    await watcher.next('suback')
    device.send(...packets)
    const late = (await device.next('puback', 8)).slice(4)
    expect(ingested).toHaveLength(10)
    const plain = ({ id: _id, receivedAt: _at, payload, ...rest }: Message) => ({ ...rest, payload: Buffer.from(payload).toString('hex') })
    expect(ingested.slice(0, 5).map(plain)).toEqual(ingested.slice(5).map(plain))
    const answer = ({ messageId, reasonCode = 0 }: { messageId?: number; reasonCode?: number }) => [messageId, reasonCode]
    expect(late.map(answer)).toEqual(early.map(answer))
    for (const { socket } of [device, watcher]) socket.destroy()
  })

  test('acknowledgements keep their order when the ways are mixed and Ingest answers when it likes [MQTT-4.6.0-2]', async () => {
    const watcher = await aRawDevice(port, { clientId: 'watcher', protocolVersion })
    watcher.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'watched/#', qos: 0 }] } as never)
    await watcher.next('suback')
    const waiting: (() => void)[] = []
    ingest = () => new Promise((resolve) => waiting.push(resolve))
    const device = await aRawDevice(port, { protocolVersion })
    const ids = Array.from({ length: 60 }, (_, i) => i + 1)
    device.send(...ids.map((id) => aPublish(id, { topic: id % 3 === 0 ? 'watched/a' : 'unwatched/a' })))
    await expect.poll(() => waiting.length).toBe(60)
    // In some order that is not theirs, over several turns of the loop.
    for (const id of ids.toSorted((a, b) => ((a * 37) % 61) - ((b * 37) % 61))) {
      waiting[id - 1]!()
      if (id % 7 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    const acked = await device.next('puback', 60)
    expect(acked.map(({ messageId }) => messageId)).toEqual(ids)
    expect(await watcher.next('publish', 20)).toHaveLength(20)
    for (const { socket } of [device, watcher]) socket.destroy()
  })

  test('a SUBSCRIBE is in force for the PUBLISH right behind it', async () => {
    for (const clean of [true, false]) {
      const device = await aRawDevice(port, { protocolVersion, clean, clientId: `both-${clean}` })
      const subscriptions = [{ topic: `own/${clean}`, qos: 1 }]
      device.send({ cmd: 'subscribe', messageId: 1, subscriptions } as never, aPublish(2, { topic: `own/${clean}`, payload: 'to myself' }))
      const [received] = await device.next('publish')
      expect(received?.payload.toString()).toBe('to myself')
      device.socket.destroy()
    }
  })

  test('a session that is away gets what was published meanwhile', async () => {
    const subscriber = await aRawDevice(port, { protocolVersion, clean: false, clientId: 'sleeper' })
    subscriber.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'cmd/#', qos: 1 }] } as never)
    await subscriber.next('suback')
    subscriber.send({ cmd: 'disconnect' })
    await subscriber.closed
    await observe.next('client.disconnected', ({ clientId }) => clientId === 'sleeper')
    const device = await aRawDevice(port, { protocolVersion })
    device.send(aPublish(1, { topic: 'cmd/wake' }))
    await device.next('puback')
    const again = await aRawDevice(port, { protocolVersion, clean: false, clientId: 'sleeper' })
    const [received] = await again.next('publish')
    expect(received).toMatchObject({ topic: 'cmd/wake', qos: 1 })
    for (const { socket } of [device, again]) socket.destroy()
  })

  test('retained messages wait for those who come later', async () => {
    const device = await aRawDevice(port, { protocolVersion })
    device.send(aPublish(1, { topic: 'state/door', payload: 'open', retain: true }))
    await device.next('puback')
    expect(ingested).toMatchObject([{ topic: 'state/door', retain: true }])
    device.send({ cmd: 'subscribe', messageId: 2, subscriptions: [{ topic: 'state/door', qos: 0 }] } as never)
    const [received] = await device.next('publish')
    expect(received).toMatchObject({ retain: true, payload: Buffer.from('open') })
    device.socket.destroy()
  })

  test('a refusal for good is answered in turn, and what stands behind it too', async () => {
    const first = Promise.withResolvers<void>()
    ingest = ({ payload }) => (Buffer.from(payload).toString() === '1' ? first.promise : Promise.resolve())
    const device = await aRawDevice(port, { protocolVersion })
    device.send(aPublish(1), aPublish(2, { topic: 'a/b/c/d/e/f/g/h/too/deep' }), aPublish(3))
    await observe.next('message.refused', ({ code }) => code === 'TOPIC_INVALID')
    expect(device.received.map(({ cmd }) => cmd)).toEqual(['connack'])
    first.resolve()
    if (protocolVersion === 4) {
      await device.closed // there is no other way to say no [MQTT-3.3.5-2]
      expect(device.received.filter(({ cmd }) => cmd === 'puback')).toMatchObject([{ messageId: 1 }])
    } else {
      const acks = await device.next('puback', 3)
      expect(acks.map(({ messageId, reasonCode = 0 }) => [messageId, reasonCode])).toEqual([
        [1, 0],
        [2, 0x90],
        [3, 0],
      ])
    }
    expect(observe.of('message.refused')).toHaveLength(1)
    device.socket.destroy()
  })

  test('a full spool ends the connection, and nothing is acknowledged after that', async () => {
    ingest = ({ payload }) =>
      Buffer.from(payload).toString() === '2' ? Promise.reject(new GatewayError('SPOOL_FULL', 'full')) : Promise.resolve()
    const device = await aRawDevice(port, { protocolVersion })
    device.send(aPublish(1), aPublish(2), aPublish(3))
    await device.closed
    const rest = device.received.slice(1).map(({ cmd }) => cmd)
    expect(rest).toEqual(protocolVersion === 4 ? ['puback'] : ['puback', 'disconnect'])
  })

  test.each([
    ['a wildcard in the topic', aPublish(1, { topic: 'a/b' }), (bytes: Buffer) => bytes.fill('#', 6, 7)],
    ['a packet over the limit', aPublish(1, { payload: Buffer.alloc(150_000) }), (bytes: Buffer) => bytes],
  ])('%s ends the connection without a message', async (_, packet, spoil) => {
    const { generate } = await import('mqtt-packet')
    const device = await aRawDevice(port, { protocolVersion })
    device.send(spoil(generate(packet, { protocolVersion })))
    await device.closed
    expect(ingested).toEqual([])
    expect(device.received.filter(({ cmd }) => cmd === 'puback')).toEqual([])
  })
})

test('a topic alias stands for its topic, and a publish without one is not mixed up with it', async () => {
  const device = await aRawDevice(port, { protocolVersion: 5 })
  device.send(
    aPublish(1, { topic: 'a/b', properties: { topicAlias: 1 } }),
    aPublish(2, { topic: '', properties: { topicAlias: 1 } }),
    aPublish(3, { topic: 'c/d' }),
  )
  await device.next('puback', 3)
  expect(ingested.map(({ topic }) => topic)).toEqual(['a/b', 'a/b', 'c/d'])
  device.socket.destroy()
})

test('a will is published, and ingested once', async () => {
  const watcher = await aRawDevice(port, { clientId: 'watcher' })
  watcher.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'gone/#', qos: 0 }] } as never)
  await watcher.next('suback')
  const { connect } = await import('node:net')
  const { generate } = await import('mqtt-packet')
  const socket = connect(port, '127.0.0.1')
  const will = { topic: 'gone/mortal', payload: Buffer.from('bye'), qos: 1, retain: false } as const
  socket.write(generate({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clean: true, clientId: 'mortal', keepalive: 0, will }))
  await observe.next('client.connected', ({ clientId }) => clientId === 'mortal')
  socket.destroy()
  const [received] = await watcher.next('publish')
  expect(received).toMatchObject({ topic: 'gone/mortal', payload: Buffer.from('bye') })
  expect(ingested).toMatchObject([{ topic: 'gone/mortal', source: { clientId: 'mortal' } }])
  watcher.socket.destroy()
})

describe('while Ingest hangs', () => {
  test('a device that keeps to its window has its PINGREQ answered', async () => {
    const safe = Promise.withResolvers<void>()
    ingest = () => safe.promise
    const device = await aRawDevice(port)
    device.send(...Array.from({ length: 100 }, (_, i) => aPublish(i + 1)), { cmd: 'pingreq' })
    await device.next('pingresp')
    expect(device.received.map(({ cmd }) => cmd)).toEqual(['connack', 'pingresp'])
    safe.resolve()
    expect(await device.next('puback', 100)).toHaveLength(100)
    device.socket.destroy()
  })

  test('a device that floods is read no further than its bound, waits, and is served to the end', async () => {
    let safe = Promise.withResolvers<void>()
    ingest = () => safe.promise
    const device = await aRawDevice(port)
    const total = 20_000
    const payload = Buffer.alloc(500, 'x')
    const sent = Array.from({ length: total }, (_, i) => aPublish(i + 1, { payload }))
    device.send(...sent)
    // A second device is not held up by the first; when it was served, everything that is read of the first has been read.
    await expect.poll(() => ingested.length).toBeGreaterThanOrEqual(1_000)
    const other = await aRawDevice(port, { clientId: 'other' })
    other.send({ cmd: 'pingreq' })
    await other.next('pingresp')
    const oneRead = Math.ceil(65_536 / 550)
    expect(ingested.length).toBeLessThanOrEqual(1_000 + oneRead)
    ingest = async () => {}
    safe.resolve()
    safe = Promise.withResolvers()
    const acks = await device.next('puback', total)
    expect(acks.map(({ messageId }) => messageId)).toEqual(sent.map(({ messageId }) => messageId))
    for (const { socket } of [device, other]) socket.destroy()
  })

  test('large messages are bounded by their bytes', async () => {
    const safe = Promise.withResolvers<void>()
    ingest = () => safe.promise
    const device = await aRawDevice(port)
    device.send(...Array.from({ length: 100 }, (_, i) => aPublish(i + 1, { payload: Buffer.alloc(100_000) })))
    await expect.poll(() => ingested.length).toBeGreaterThanOrEqual(11)
    const other = await aRawDevice(port, { clientId: 'other' })
    other.send({ cmd: 'pingreq' })
    await other.next('pingresp')
    expect(ingested.length).toBeLessThanOrEqual(12)
    safe.resolve()
    expect(await device.next('puback', 100)).toHaveLength(100)
    for (const { socket } of [device, other]) socket.destroy()
  })
})
