// What subscribers get, on real sockets: how much at a time, in which order, once each, and what CONNECT and SUBSCRIBE answer.
import type { ISubscribePacket, Packet } from 'mqtt-packet'
import { afterEach, describe, expect, test } from 'vitest'
import type { Broker } from '../../../gateway/broker/broker.ts'
import { createEmbeddedBroker } from '../../../gateway/broker/embedded.ts'
import type { Entry } from '../../../gateway/broker/sessions/entry.ts'
import { createMemoryJournal } from '../../../gateway/broker/sessions/journal.ts'
import { createSessions, type SessionsOptions, sessionsSchema } from '../../../gateway/broker/sessions/sessions.ts'
import type { Door } from '../../../gateway/listen/door.ts'
import { createMqttDoor } from '../../../gateway/listen/mqtt.ts'
import { createIds } from '../../../gateway/message/ids.ts'
import { systemClock } from '../../../lib/clock.ts'
import { createRandom } from '../../../lib/random.ts'
import { createTestAccess, noRates } from '../../helpers/access.ts'
import { fastPaths } from '../../helpers/fast-paths.ts'
import { createMessage } from '../../helpers/message.ts'
import { aDevice } from '../../helpers/mqtt-client.ts'
import { aPublish, aRawDevice, type RawDevice, type RawOptions } from '../../helpers/raw-mqtt.ts'
import { createSpyObserve, type SpyObserve } from '../../helpers/spy-observe.ts'

let broker: Broker
let door: Door
let port: number
let observe: SpyObserve
let ingested: string[]

async function start(limits: object = {}, journal?: SessionsOptions['journal']) {
  observe = createSpyObserve()
  ingested = []
  const access = createTestAccess({ limits: { ...noRates.limits, ...limits } }, observe)
  const { messageExpirySeconds } = access.limits
  const kept = { ...sessionsSchema.parse({}), maxRetained: 10, messageExpirySeconds, clock: systemClock, observe }
  broker = createEmbeddedBroker({
    fastPaths,
    ingest: async ({ payload }) => void ingested.push(`${Buffer.from(payload)}`),
    ...(journal ? { sessions: (routes, memory) => createSessions({ ...kept, routes, memory, journal }) } : {}),
    access,
    observe,
    clock: systemClock,
    ids: createIds(systemClock.now, createRandom(1)),
  })
  await broker.start()
  door = createMqttDoor({ host: '127.0.0.1', port: 0, flag: '--mqtt-port', broker, observe })
  port = await door.start()
}

afterEach(async () => {
  await broker.stop()
  await door.stop()
})

type Subscriptions = ISubscribePacket['subscriptions']

async function subscribed(options: RawOptions, subscriptions: Subscriptions): Promise<RawDevice> {
  const device = await aRawDevice(port, options)
  device.send({ cmd: 'subscribe', messageId: 1, subscriptions })
  await device.next('suback')
  return device
}

const publish = (count: number, change: object = {}) =>
  Promise.all(Array.from({ length: count }, (_, i) => broker.publish(createMessage(`${i}`, { topic: 'cmd/x', qos: 1, ...change }))))

const texts = (device: RawDevice) => device.received.flatMap((packet) => (packet.cmd === 'publish' ? [`${packet.payload}`] : []))
const numbers = (count: number) => Array.from({ length: count }, (_, i) => `${i}`)

describe.each([
  ['MQTT 3.1.1, clean session', { protocolVersion: 4 }],
  ['MQTT 3.1.1, persistent session', { protocolVersion: 4, clean: false }],
  ['MQTT 5, persistent session', { protocolVersion: 5, clean: false }],
] as const)('%s', (_, options) => {
  test('so many deliveries are unacknowledged at a time; the next waits for a PUBACK, and the order stays [MQTT-4.6.0-6]', async () => {
    await start({ inFlightOutbound: 10 })
    const device = await subscribed(options, [{ topic: 'cmd/#', qos: 1 }])
    await publish(25)
    const first = await device.next('publish', 10)
    // Its answer shows that nothing more was sent before it.
    device.send({ cmd: 'pingreq' })
    await device.next('pingresp')
    expect(texts(device)).toEqual(numbers(10))
    device.send(...first.slice(0, 4).map(({ messageId }) => ({ cmd: 'puback', messageId: messageId! }) as const))
    await device.next('publish', 14)
    for (let acked = 4; acked < 25; acked = device.received.filter(({ cmd }) => cmd === 'publish').length) {
      const sent = await device.next('publish', acked)
      device.send(...sent.slice(-10).map(({ messageId }) => ({ cmd: 'puback', messageId: messageId! }) as const))
      await device.next('publish', Math.min(25, acked + 1))
    }
    expect(texts(device)).toEqual(numbers(25))
    device.socket.destroy()
  })
})

test('what a client did not acknowledge comes again on its next connection [MQTT-4.4.0-1]', async () => {
  await start()
  const first = await subscribed({ clean: false }, [{ topic: 'cmd/#', qos: 1 }])
  await publish(3)
  const [one] = await first.next('publish', 3)
  first.send({ cmd: 'puback', messageId: one!.messageId! })
  first.send({ cmd: 'pingreq' })
  await first.next('pingresp')
  first.socket.destroy()
  const second = await aRawDevice(port, { clean: false })
  expect((await second.next('connack'))[0]).toMatchObject({ sessionPresent: true })
  const again = await second.next('publish', 2)
  expect(again.map(({ payload }) => `${payload}`)).toEqual(['1', '2'])
  expect(again.every(({ dup }) => !dup)).toBe(true)
  second.socket.destroy()
})

test('a session without a subscription is a session', async () => {
  await start()
  const first = await aRawDevice(port, { clean: false })
  first.socket.destroy()
  await observe.next('client.disconnected', () => true)
  const second = await aRawDevice(port, { clean: false })
  expect((await second.next('connack'))[0]).toMatchObject({ sessionPresent: true })
  second.socket.destroy()
})

test('what waited comes at no more than the rate for it, and all of it', async () => {
  await start({ storedDeliveriesPerSecond: 4 })
  const first = await subscribed({ clean: false }, [{ topic: 'cmd/#', qos: 1 }])
  first.socket.destroy()
  await observe.next('client.disconnected', () => true)
  await publish(6)
  const second = await aRawDevice(port, { clean: false })
  await second.next('publish', 4)
  second.send({ cmd: 'pingreq' })
  await second.next('pingresp')
  expect(texts(second).length).toBeLessThan(6)
  await second.next('publish', 6)
  expect(texts(second)).toEqual(numbers(6))
  second.socket.destroy()
})

test.each([
  [4, [0, 0x80, 1, 0x80]],
  [5, [0, 0x8f, 1, 0x80]],
] as const)('MQTT version %i: each filter of a SUBSCRIBE has its own answer [MQTT-3.8.4-5]', async (protocolVersion, granted) => {
  await start()
  const device = await subscribed({ protocolVersion }, [
    { topic: 'a', qos: 0 },
    { topic: 'b#', qos: 1 },
    { topic: 'c/+', qos: 1 },
    { topic: 'd', qos: 2 },
  ])
  const [suback] = await device.next('suback')
  expect(suback!.granted).toEqual(granted)
  await publish(1, { topic: 'c/x' })
  await device.next('publish')
  device.socket.destroy()
})

test('a/# covers a as well [MQTT-4.7.1-2], and overlapping filters bring one copy at the highest QoS [MQTT-3.3.5-1]', async () => {
  await start()
  const device = await subscribed({}, [
    { topic: 'a/#', qos: 0 },
    { topic: '+', qos: 1 },
    { topic: 'a', qos: 0 },
  ])
  await publish(1, { topic: 'a' })
  await publish(1, { topic: 'a/b' })
  const got = await device.next('publish', 2)
  expect(got.map(({ topic, qos }) => [topic, qos])).toEqual([
    ['a', 1],
    ['a/b', 0],
  ])
  device.socket.destroy()
})

test('those that share a filter get one copy among them, whoever is connected', async () => {
  await start()
  const shared: Subscriptions = [{ topic: '$share/desk/cmd/#', qos: 1 }]
  const [first, second, alone] = await Promise.all([
    subscribed({ clientId: 'one' }, shared),
    subscribed({ clientId: 'two', protocolVersion: 5 }, shared),
    subscribed({ clientId: 'alone' }, [{ topic: 'cmd/x', qos: 0 }]),
  ])
  await publish(10)
  await alone!.next('publish', 10)
  await expect.poll(() => texts(first!).length + texts(second!).length).toBe(10)
  expect([...texts(first!), ...texts(second!)].sort()).toEqual(numbers(10))
  expect(texts(first!).length).toBe(5)
  first!.socket.destroy()
  await observe.next('client.disconnected', ({ clientId }) => clientId === 'one')
  await publish(1)
  await second!.next('publish', 6)
  for (const device of [second, alone]) device!.socket.destroy()
})

test('a group of which nobody is there has its QoS 1 messages wait for a member with a session', async () => {
  await start()
  const member = await subscribed({ clean: false }, [{ topic: '$share/desk/cmd/#', qos: 1 }])
  member.socket.destroy()
  await observe.next('client.disconnected', () => true)
  await publish(2)
  const back = await aRawDevice(port, { clean: false })
  await back.next('publish', 2)
  expect(texts(back)).toEqual(numbers(2))
  back.socket.destroy()
})

test('MQTT 5 is told what the broker does', async () => {
  await start({ inFlightInbound: 100 })
  const device = await aRawDevice(port, { protocolVersion: 5, clientId: '' })
  const [connack] = await device.next('connack')
  expect(connack).toMatchObject({
    reasonCode: 0,
    properties: {
      receiveMaximum: 100,
      maximumQoS: 1,
      retainAvailable: true,
      maximumPacketSize: 149_504,
      topicAliasMaximum: 8,
      wildcardSubscriptionAvailable: true,
      subscriptionIdentifiersAvailable: false,
      sharedSubscriptionAvailable: true,
      serverKeepAlive: 1_200,
      assignedClientIdentifier: expect.stringMatching(/^[0-9A-Z]{26}$/),
    },
  })
  device.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'a', qos: 1 }], properties: { subscriptionIdentifier: 1 } })
  expect(await device.next('disconnect')).toMatchObject([{ reasonCode: 0xa1 }])
  await device.closed
})

test('MQTT 5: a client that says how much it takes gets no more', async () => {
  await start()
  const device = await aDevice(port, { protocolVersion: 5, properties: { maximumPacketSize: 600, topicAliasMaximum: 2 } })
  const got: [string, number | undefined][] = []
  device.on('packetreceive', (packet) => packet.cmd === 'publish' && got.push([packet.topic, packet.properties?.topicAlias]))
  await device.subscribeAsync('cmd/#', { qos: 1 })
  await broker.publish(createMessage('x'.repeat(700), { topic: 'cmd/large', qos: 1 }))
  for (const topic of ['cmd/a', 'cmd/b', 'cmd/c', 'cmd/a']) await broker.publish(createMessage('x', { topic, qos: 1 }))
  await expect.poll(() => got).toHaveLength(4)
  expect(got.map(([, alias]) => alias)).toEqual([1, 2, undefined, 1])
  expect(observe.of('delivery.dropped')).toMatchObject([{ code: 'PAYLOAD_TOO_LARGE', topic: 'cmd/large' }])
  await device.endAsync()
})

test.each([true, false])('packets of a connection take effect in their order, clean session %s', async (clean) => {
  await start()
  const device = await aRawDevice(port, { clean })
  device.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'dt/#', qos: 1 }] }, aPublish(2))
  await device.next('publish')
  device.send({ cmd: 'unsubscribe', messageId: 3, unsubscriptions: ['dt/#'] }, aPublish(4))
  await device.next('puback', 2)
  device.send({ cmd: 'pingreq' })
  await device.next('pingresp')
  expect(texts(device)).toEqual(['2'])
  device.socket.destroy()
})

/** A disk that takes its time over one kind of entry: `asked` when the first is on its way, written when `write` is called. */
function aSlowDisk(kind: Entry['kind']) {
  const asked = Promise.withResolvers<void>()
  const written = Promise.withResolvers<void>()
  const journal: SessionsOptions['journal'] = (journaled) => {
    const memory = createMemoryJournal(journaled)
    return {
      ...memory,
      async append(entry) {
        if (entry.kind === kind) {
          asked.resolve()
          await written.promise
        }
        return memory.append(entry)
      },
    }
  }
  return { journal, asked: asked.promise, write: written.resolve }
}

describe.each([
  ['in the same bytes', true],
  ['in bytes that come later', false],
] as const)('on a slow disk, a PUBLISH right behind, %s,', (_, together) => {
  async function behind(first: Packet, kind: Entry['kind'], protocolVersion: 4 | 5) {
    const disk = aSlowDisk(kind)
    await start({}, disk.journal)
    const device = await aRawDevice(port, { clean: false, protocolVersion })
    const before = kind === 'unsubscribed' ? 1 : 0
    if (before) {
      device.send({ cmd: 'subscribe', messageId: 9, subscriptions: [{ topic: 'dt/#', qos: 1 }] })
      await device.next('suback')
    }
    if (together) device.send(first, aPublish(2), { cmd: 'pingreq' })
    else device.send(first)
    await disk.asked
    if (!together) device.send(aPublish(2), { cmd: 'pingreq' })
    // Another device comes, is served and leaves: time enough to overtake.
    const other = await aDevice(port, { clientId: 'other' })
    await other.publishAsync('elsewhere', 'other', { qos: 1 })
    await other.endAsync()
    expect(ingested).toEqual(['other'])
    expect(device.received.slice(1 + before)).toEqual([])
    disk.write()
    await device.next('pingresp')
    return device
  }

  test.each([4, 5] as const)('does not overtake a SUBSCRIBE, MQTT version %i', async (protocolVersion) => {
    const device = await behind(
      { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'dt/#', qos: 1 }] },
      'subscribed',
      protocolVersion,
    )
    await device.next('publish')
    await device.next('puback')
    expect(device.received[1]).toMatchObject({ cmd: 'suback', messageId: 1 })
    expect(texts(device)).toEqual(['2'])
    expect(ingested).toEqual(['other', '2'])
    device.socket.destroy()
  })

  test('nor an UNSUBSCRIBE', async () => {
    const device = await behind({ cmd: 'unsubscribe', messageId: 1, unsubscriptions: ['dt/#'] }, 'unsubscribed', 4)
    await device.next('puback')
    expect(device.received[2]).toMatchObject({ cmd: 'unsuback', messageId: 1 })
    expect(texts(device)).toEqual([])
    device.socket.destroy()
  })
})
