// Where AWS IoT Core differs from the MQTT specifications, and what it adds: the broker does as it does.
import { once } from 'node:events'
import { connect } from 'node:net'
import type { MqttClient } from 'mqtt'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Broker } from '../../../gateway/broker/broker.ts'
import { createEmbeddedBroker } from '../../../gateway/broker/embedded.ts'
import type { Door } from '../../../gateway/listen/door.ts'
import { createMqttDoor } from '../../../gateway/listen/mqtt.ts'
import { createIds } from '../../../gateway/message/ids.ts'
import type { Message } from '../../../gateway/message/message.ts'
import { systemClock } from '../../../lib/clock.ts'
import { createRandom } from '../../../lib/random.ts'
import { createTestAccess } from '../../helpers/access.ts'
import { fastPaths } from '../../helpers/fast-paths.ts'
import { aDevice, closed } from '../../helpers/mqtt-client.ts'
import { createSpyObserve, type SpyObserve } from '../../helpers/spy-observe.ts'

let broker: Broker
let door: Door
let port: number
let observe: SpyObserve
let ingested: Message[]
let routed: (topic: string) => boolean

async function start(limits: object | string = 'aws') {
  observe = createSpyObserve()
  ingested = []
  routed = () => false
  broker = createEmbeddedBroker({
    fastPaths,
    ingest: async (message) => void ingested.push(message),
    access: createTestAccess({ limits }, observe),
    observe,
    clock: systemClock,
    ids: createIds(systemClock.now, createRandom(1)),
    isRouted: (topic) => routed(topic),
  })
  await broker.start()
  door = createMqttDoor({ host: '127.0.0.1', port: 0, flag: '--mqtt-port', broker, observe })
  port = await door.start()
}

beforeEach(() => start())
afterEach(async () => {
  await broker.stop()
  await door.stop()
})

/** Collects what a client hears. */
async function listening(filter: string): Promise<{ readonly client: MqttClient; readonly heard: [string, string][] }> {
  const client = await aDevice(port, { clientId: 'listener' })
  const heard: [string, string][] = []
  client.on('message', (topic, payload) => heard.push([topic, payload.toString()]))
  await client.subscribeAsync(filter, { qos: 1 })
  return { client, heard }
}

test('clients that come, go and subscribe are announced', async () => {
  const { client, heard } = await listening('$aws/events/#')
  const device = await aDevice(port, { clientId: 'f-1' })
  await device.subscribeAsync(['a/b', 'c/+'], { qos: 1 })
  await device.unsubscribeAsync('a/b')
  await device.endAsync()
  await expect
    .poll(() => heard.map(([topic]) => topic))
    .toEqual([
      '$aws/events/subscriptions/subscribed/listener',
      '$aws/events/presence/connected/f-1',
      '$aws/events/subscriptions/subscribed/f-1',
      '$aws/events/subscriptions/unsubscribed/f-1',
      '$aws/events/presence/disconnected/f-1',
    ])
  const [connected, subscribed, unsubscribed, gone] = heard.slice(1).map(([, payload]) => JSON.parse(payload))
  expect(connected).toMatchObject({ clientId: 'f-1', eventType: 'connected', ipAddress: '127.0.0.1', versionNumber: 0 })
  expect(subscribed).toMatchObject({ eventType: 'subscribed', topics: ['a/b', 'c/+'], sessionIdentifier: connected.sessionIdentifier })
  expect(unsubscribed).toMatchObject({ topics: ['a/b'] })
  expect(gone).toMatchObject({ clientInitiatedDisconnect: true, disconnectReason: 'CLIENT_INITIATED_DISCONNECT', versionNumber: 0 })
  await client.endAsync()
})

test.each([
  ['a cut line', (device: MqttClient) => device.stream.destroy(), 'CONNECTION_LOST'],
  ['a take-over', () => void aDevice(port, { clientId: 'f-1' }), 'DUPLICATE_CLIENTID'],
  ['a publish over the limit', (device: MqttClient) => void device.publish('a', Buffer.alloc(131_073), { qos: 1 }), 'CLIENT_ERROR'],
])('%s is told as such, and the will is sent', async (_, end, disconnectReason) => {
  await broker.stop()
  await door.stop()
  await start({ connectsPerClientPerSecond: 'off' })
  const { client, heard } = await listening('$aws/events/presence/disconnected/+')
  await client.subscribeAsync('gone/#')
  const will = { topic: 'gone/f-1', payload: Buffer.from('bye'), qos: 0, retain: false } as const
  const device = await aDevice(port, { clientId: 'f-1', will })
  device.on('error', () => undefined)
  end(device)
  await expect.poll(() => heard.find(([topic]) => topic.endsWith('/f-1') && topic.startsWith('$aws'))?.[1]).toContain(disconnectReason)
  await expect.poll(() => heard).toContainEqual(['gone/f-1', 'bye'])
  await client.endAsync()
})

test('a client that is silent for longer than its keep alive is disconnected with that reason', async () => {
  await broker.stop()
  await door.stop()
  await start({ minKeepAliveSeconds: 'off' })
  const { client, heard } = await listening('$aws/events/presence/disconnected/+')
  const device = connect(port, '127.0.0.1')
  device.write(Buffer.from('100f00044d51545404020001' + '0003662d31', 'hex'))
  await once(device.resume(), 'close')
  await expect.poll(() => heard.map(([, payload]) => JSON.parse(payload).disconnectReason)).toEqual(['MQTT_KEEP_ALIVE_TIMEOUT'])
  await client.endAsync()
})

test('a rule that selects from lifecycle events gets them, and otherwise they are no messages', async () => {
  const first = await aDevice(port, { clientId: 'f-1' })
  expect(ingested).toEqual([])
  routed = (topic) => topic.startsWith('$aws/events/presence/')
  const second = await aDevice(port, { clientId: 'f-2' })
  expect(ingested).toMatchObject([{ topic: '$aws/events/presence/connected/f-2', source: { transport: 'inside' } }])
  await Promise.all([first.endAsync(), second.endAsync()])
})

test('a retained message comes with its own name, never with a wildcard', async () => {
  const device = await aDevice(port)
  await device.publishAsync('state/door', 'open', { qos: 1, retain: true })
  const { client, heard } = await listening('state/#')
  await client.subscribeAsync('state/door', { qos: 1 })
  await expect.poll(() => heard).toEqual([['state/door', 'open']])
  await Promise.all([device.endAsync(), client.endAsync()])
})

test('eight filters a SUBSCRIBE, fifty a connection', async () => {
  const device = await aDevice(port)
  const filters = Array.from({ length: 60 }, (_, i) => `a/${i}`)
  await expect(device.subscribeAsync(filters.slice(0, 9))).rejects.toThrow()
  for (let i = 0; i < 48; i += 8) await device.subscribeAsync(filters.slice(i, i + 8))
  await device.subscribeAsync(filters.slice(48, 50))
  await expect(device.subscribeAsync(filters[50]!)).rejects.toThrow()
  await device.unsubscribeAsync(filters[0]!)
  await device.subscribeAsync(filters[50]!)
  expect(observe.of('limit.exceeded')).toMatchObject([{ limit: 'filtersPerSubscribe' }, { limit: 'subscriptionsPerConnection' }])
  await device.endAsync()
})

test('a QoS 0 message that overtakes a QoS 1 message does not make a duplicate of it', async () => {
  const { client, heard } = await listening('a/#')
  const device = await aDevice(port)
  for (let i = 0; i < 5; i++) {
    device.publish('a/1', `${i}`, { qos: 1 })
    device.publish('a/0', `${i}`, { qos: 0 })
  }
  await expect.poll(() => heard).toHaveLength(10)
  await Promise.all([device.endAsync(), client.endAsync()])
})

test('a SUBSCRIBE with QoS 2 is refused', async () => {
  const device = await aDevice(port)
  await expect(device.subscribeAsync('a', { qos: 2 })).rejects.toThrow()
  await device.endAsync()
})

test.each<[version: 4 | 5, told: string]>([
  [4, 'not acknowledged'],
  [5, 'acknowledged with reason 151'],
])('MQTT version %i: what is over the rate is %s', async (protocolVersion) => {
  await broker.stop()
  await door.stop()
  await start({ publishesPerSecond: 5 })
  const device = await aDevice(port, { protocolVersion })
  const results: unknown[] = []
  for (let i = 0; i < 7; i++)
    device.publish('a', 'x', { qos: 1 }, (error) => results.push((error as { code?: number } | null)?.code ?? 'ok'))
  await expect.poll(() => observe.of('message.refused')).toHaveLength(2)
  expect(observe.of('message.refused')[0]).toMatchObject({ code: 'RATE_EXCEEDED', limit: 'publishesPerSecond' })
  const ok = Array.from({ length: 5 }, () => 'ok')
  await expect.poll(() => results).toEqual(protocolVersion === 5 ? [...ok, 151, 151] : ok)
  expect(device.connected).toBe(true)
  await device.endAsync(true)
})

test('keep-alive is clamped, and MQTT 5 is told', async () => {
  const device = await aDevice(port, { protocolVersion: 5, keepalive: 5 })
  const connack = new Promise<{ properties?: { serverKeepAlive?: number } }>((resolve) => device.once('connect', resolve as never))
  device.reconnect()
  expect((await connack).properties?.serverKeepAlive).toBe(30)
  await device.endAsync()
})

test('a will that may not be published keeps its client out', async () => {
  const will = { topic: 'a/+', payload: Buffer.from('x'), qos: 1, retain: false } as const
  await expect(aDevice(port, { will })).rejects.toThrow()
  await expect(aDevice(port, { clientId: 'b', will: { ...will, topic: '$aws/things/x' } })).rejects.toThrow()
})

test('a second CONNECT ends the connection', async () => {
  const device = await aDevice(port)
  const gone = closed(device)
  device.stream.write(Buffer.from('101000044d5154540402003c000466726565', 'hex'))
  await gone
})
