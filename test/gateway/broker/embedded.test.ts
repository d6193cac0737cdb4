// The broker on real sockets: what is acknowledged, when, and what happens to clients that misbehave.
import { once } from 'node:events'
import { connect as connectSocket } from 'node:net'
import { connectAsync } from 'mqtt'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import type { Broker } from '../../../gateway/broker/broker.ts'
import { createEmbeddedBroker } from '../../../gateway/broker/embedded.ts'
import { GatewayError } from '../../../gateway/errors.ts'
import type { Door } from '../../../gateway/listen/door.ts'
import { createMqttDoor, createMqttWsDoor } from '../../../gateway/listen/mqtt.ts'
import { createIds } from '../../../gateway/message/ids.ts'
import type { Message } from '../../../gateway/message/message.ts'
import { systemClock } from '../../../lib/clock.ts'
import { createRandom } from '../../../lib/random.ts'
import { createTestAccess, noRates } from '../../helpers/access.ts'
import { fastPaths } from '../../helpers/fast-paths.ts'
import { createMessage } from '../../helpers/message.ts'
import { aDevice, closed } from '../../helpers/mqtt-client.ts'
import { createSpyObserve, type SpyObserve } from '../../helpers/spy-observe.ts'

let broker: Broker
let doors: Door[]
let port: number
let wsPort: number
let observe: SpyObserve
let ingested: Message[]
let ingest: (message: Message) => Promise<void>

beforeEach(async () => {
  observe = createSpyObserve()
  ingested = []
  ingest = async () => {}
  broker = createEmbeddedBroker({
    fastPaths,
    ingest: (message) => {
      ingested.push(message)
      return ingest(message)
    },
    access: createTestAccess(noRates, observe),
    observe,
    clock: systemClock,
    ids: createIds(systemClock.now, createRandom(1)),
  })
  await broker.start()
  const at = { host: '127.0.0.1', port: 0, flag: '--mqtt-port', broker, observe }
  doors = [createMqttDoor(at), createMqttWsDoor({ ...at, guard: () => undefined, uuid: () => 'id-1' })]
  ;[port, wsPort] = (await Promise.all(doors.map((door) => door.start()))) as [number, number]
})

afterEach(async () => {
  await broker.stop()
  for (const door of doors) await door.stop()
})

describe.each([
  ['MQTT 3.1.1', 4],
  ['MQTT 5', 5],
] as const)('%s', (_, protocolVersion) => {
  test('a PUBLISH becomes a message, and is acknowledged only when ingest has resolved', async () => {
    const safe = Promise.withResolvers<void>()
    ingest = () => safe.promise
    const device = await aDevice(port, { protocolVersion })
    let acked = false
    const publishing = device.publishAsync('dt/coldchain/acme/truck-1/freezer-1/telemetry', '{"temperature":-18}', { qos: 1 }).then(() => {
      acked = true
    })
    // The answer to a later ping would overtake nothing: packets of one connection are answered in order.
    await expect.poll(() => ingested.length).toBe(1)
    expect(acked).toBe(false)
    safe.resolve()
    await publishing
    expect(ingested[0]).toMatchObject({
      topic: 'dt/coldchain/acme/truck-1/freezer-1/telemetry',
      qos: 1,
      retain: false,
      hops: 0,
      source: { clientId: 'freezer-1', transport: 'mqtt', tenant: 'acme', sourceIp: '127.0.0.1' },
    })
    expect(Buffer.from(ingested[0]!.payload).toString()).toBe('{"temperature":-18}')
    await device.endAsync()
  })

  test('a message that cannot be taken now is not acknowledged: the connection ends, and the device keeps it', async () => {
    ingest = () => Promise.reject(new GatewayError('SPOOL_FULL', 'full'))
    const device = await aDevice(port, { protocolVersion })
    device.publish('a/b', 'x', { qos: 1 })
    await closed(device)
    expect(ingested).toHaveLength(1)
    device.end(true)
  })

  test('a QoS 0 message that cannot be taken costs nobody the connection', async () => {
    ingest = () => Promise.reject(new GatewayError('SPOOL_FULL', 'full'))
    const device = await aDevice(port, { protocolVersion })
    await device.publishAsync('a/b', 'x', { qos: 0 })
    ingest = async () => {}
    await device.publishAsync('a/b', 'y', { qos: 1 })
    expect(ingested).toHaveLength(2)
    await device.endAsync()
  })

  test('QoS 2 is refused, as AWS IoT Core refuses it', async () => {
    const device = await aDevice(port, { protocolVersion })
    device.publish('a/b', 'x', { qos: 2 })
    await closed(device)
    expect(ingested).toEqual([])
    expect(observe.of('message.refused')).toMatchObject([{ code: 'QOS_NOT_SUPPORTED', clientId: 'freezer-1' }])
    device.end(true)
  })

  test('subscribers get what devices and rules publish', async () => {
    const subscriber = await aDevice(port, { clientId: 'dashboard', protocolVersion })
    const received: string[] = []
    subscriber.on('message', (topic, payload) => received.push(`${topic} ${payload}`))
    await subscriber.subscribeAsync('alerts/#', { qos: 1 })
    const device = await aDevice(port, { protocolVersion })
    await device.publishAsync('alerts/door', 'open', { qos: 1 })
    await broker.publish(createMessage('warm', { topic: 'alerts/warm' }))
    await expect.poll(() => received).toEqual(['alerts/door open', 'alerts/warm warm'])
    expect(ingested).toHaveLength(2)
    await Promise.all([device.endAsync(), subscriber.endAsync()])
  })

  test('a refused subscription is answered with a failure code', async () => {
    const device = await aDevice(port, { protocolVersion })
    await expect(device.subscribeAsync('$SYS/#')).rejects.toThrow()
    expect(observe.of('client.failed')).toMatchObject([{ code: 'TOPIC_INVALID', topic: '$SYS/#' }])
    await device.endAsync()
  })
})

test('acknowledgements leave in the order of the publishes [MQTT-4.6.0-2]', async () => {
  const device = await aDevice(port)
  const acked: number[] = []
  device.on('packetreceive', (packet) => packet.cmd === 'puback' && acked.push(packet.messageId!))
  const sent: number[] = []
  device.on('packetsend', (packet) => packet.cmd === 'publish' && sent.push(packet.messageId!))
  await Promise.all(Array.from({ length: 500 }, (_, i) => device.publishAsync('a/b', String(i), { qos: 1 })))
  expect(acked).toEqual(sent)
  expect(ingested.map(({ payload }) => Number(Buffer.from(payload).toString()))).toEqual(Array.from({ length: 500 }, (_, i) => i))
  await device.endAsync()
})

test('MQTT 5 properties travel into the message and out to subscribers', async () => {
  const subscriber = await aDevice(port, { clientId: 'dashboard', protocolVersion: 5 })
  await subscriber.subscribeAsync('cmd/#')
  const received = new Promise<unknown>((resolve) => subscriber.once('message', (_topic, _payload, packet) => resolve(packet.properties)))
  const device = await aDevice(port, { protocolVersion: 5 })
  const properties = {
    contentType: 'application/json',
    responseTopic: 'cmd/res',
    correlationData: Buffer.from('7'),
    userProperties: { site: 'truck-1', tag: ['a', 'b'] },
  }
  await device.publishAsync('cmd/req', 'x', { qos: 1, properties })
  expect(ingested[0]?.properties).toEqual({
    contentType: 'application/json',
    responseTopic: 'cmd/res',
    correlationData: Buffer.from('7'),
    userProperties: [
      ['site', 'truck-1'],
      ['tag', 'a'],
      ['tag', 'b'],
    ],
  })
  expect(await received).toMatchObject({ contentType: 'application/json', responseTopic: 'cmd/res' })
  await Promise.all([device.endAsync(), subscriber.endAsync()])
})

test('a WebSocket on /mqtt is the same door; other paths and subprotocols are turned away', async () => {
  const client = await connectAsync(`ws://127.0.0.1:${wsPort}/mqtt`, { clientId: 'freezer-1' })
  await client.publishAsync('a/b', 'x', { qos: 1 })
  expect(ingested[0]?.source.transport).toBe('mqtt-ws')
  await client.endAsync()
  expect((await fetch(`http://127.0.0.1:${wsPort}/mqtt`)).status).toBe(426)
  expect(await upgradeStatus('/other', 'mqtt')).toBe(404)
  expect(await upgradeStatus('/mqtt', 'chat')).toBe(400)
})

test('a WebSocket that sends a text frame is closed [MQTT-6.0.0-1]', async () => {
  const socket = new WebSocket(`ws://127.0.0.1:${wsPort}/mqtt`, 'mqtt')
  await once(socket, 'open')
  socket.send('MQTT')
  await once(socket, 'close')
})

function upgradeStatus(path: string, protocol: string): Promise<number | undefined> {
  const socket = new WebSocket(`ws://127.0.0.1:${wsPort}${path}`, protocol)
  socket.on('error', () => {})
  return new Promise((resolve) => socket.once('unexpected-response', (_request, response) => resolve(response.statusCode)))
}

test('a second connection with a client id takes over from the first [MQTT-3.1.4-2]', async () => {
  const first = await aDevice(port)
  const gone = closed(first)
  const second = await aDevice(port)
  await gone
  await second.publishAsync('a/b', 'x', { qos: 1 })
  await second.endAsync()
})

test('a subscriber that stops reading is closed, and the others go on receiving', async () => {
  const slow = connectSocket(port, '127.0.0.1')
  slow.write(Buffer.from('101000044d5154540402003c000473 6c6f77'.replace(' ', ''), 'hex'))
  slow.write(Buffer.from('8206000100012300', 'hex')) // SUBSCRIBE to #
  await observe.next('client.connected', ({ clientId }) => clientId === 'slow')
  slow.pause()
  const witness = await aDevice(port, { clientId: 'witness' })
  let seen = 0
  witness.on('message', () => seen++)
  await witness.subscribeAsync('#')
  const device = await aDevice(port)
  const payload = Buffer.alloc(100_000)
  const dropped = observe.next('client.dropped', ({ clientId }) => clientId === 'slow')
  let sent = 0
  while (observe.of('client.dropped').length === 0 && sent < 500) {
    await device.publishAsync('a/b', payload, { qos: 1 })
    sent++
  }
  await dropped
  await expect.poll(() => seen).toBe(sent)
  slow.destroy()
  await Promise.all([device.endAsync(), witness.endAsync()])
})

test.each([
  ['garbage', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  ['a packet before CONNECT', Buffer.from('c000', 'hex')],
  ['a CONNECT that announces 200 MB', Buffer.from('10ffffff5f00044d515454040200', 'hex')],
])('%s ends that connection and nothing else', async (_, bytes) => {
  const socket = connectSocket(port, '127.0.0.1')
  socket.on('error', () => {})
  const ended = new Promise((resolve) => socket.once('close', resolve))
  socket.write(bytes)
  await ended
  const device = await aDevice(port)
  await device.publishAsync('a/b', 'x', { qos: 1 })
  await device.endAsync()
})

test('a taken port is told with the flag that changes it', async () => {
  const second = createMqttDoor({ host: '127.0.0.1', port, flag: '--mqtt-port', broker, observe })
  await expect(second.start()).rejects.toMatchObject({
    code: 'PORT_IN_USE',
    message: `port ${port} is in use: choose another with --mqtt-port (0 = any free, off = none)`,
  })
})
