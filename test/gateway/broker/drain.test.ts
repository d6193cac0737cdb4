// What connected devices see when the broker drains, on real sockets.
import { once } from 'node:events'
import { connect } from 'node:net'
import { connectAsync } from 'mqtt'
import { generate, type Packet, parser } from 'mqtt-packet'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'
import type { Broker } from '../../../gateway/broker/broker.ts'
import { createEmbeddedBroker } from '../../../gateway/broker/embedded.ts'
import type { Door } from '../../../gateway/listen/door.ts'
import { createMqttDoor, createMqttWsDoor } from '../../../gateway/listen/mqtt.ts'
import { createIds } from '../../../gateway/message/ids.ts'
import { systemClock } from '../../../lib/clock.ts'
import { createRandom } from '../../../lib/random.ts'
import { createTestAccess, noRates } from '../../helpers/access.ts'
import { createMessage } from '../../helpers/message.ts'
import { aPublish, aRawDevice } from '../../helpers/raw-mqtt.ts'
import { createSpyObserve, type SpyObserve } from '../../helpers/spy-observe.ts'

let broker: Broker
let door: Door
let port: number
let observe: SpyObserve
let ingested: string[]
let safe: PromiseWithResolvers<void>

beforeEach(async () => {
  observe = createSpyObserve()
  ingested = []
  safe = Promise.withResolvers()
  broker = createEmbeddedBroker({
    ingest: ({ payload }) => {
      ingested.push(Buffer.from(payload).toString())
      return safe.promise
    },
    access: createTestAccess(noRates, observe),
    ...{ observe, clock: systemClock, ids: createIds(systemClock.now, createRandom(1)) },
  })
  await broker.start()
  door = createMqttDoor({ host: '127.0.0.1', port: 0, flag: '--mqtt-port', broker, observe })
  port = await door.start()
})

afterEach(async () => {
  safe.resolve()
  await broker.stop()
  await door.stop()
})

const will = { topic: 'dt/coldchain/acme/truck-1/raw-1/status', payload: Buffer.from('will'), qos: 1, retain: false } as const

test.each([
  ['MQTT 3.1.1', 4, []],
  ['MQTT 5', 5, ['disconnect 139']],
] as const)(
  '%s: publishes in flight are acknowledged, later ones are dropped, and the will is ingested',
  async (_, protocolVersion, last) => {
    const device = await aRawDevice(port, { protocolVersion, connect: { will } })
    device.send(aPublish(1), aPublish(2, { retain: true }), aPublish(3))
    await expect.poll(() => ingested).toEqual(['1', '2', '3'])

    const drained = broker.drain!()
    device.send(aPublish(4))
    await once(connect(port, '127.0.0.1'), 'close') // the socket of the device has been read by now
    expect(device.received.map(({ cmd }) => cmd)).toEqual(['connack'])
    safe.resolve()
    await Promise.all([drained, device.closed])
    const told = device.received.slice(1).map((packet) => {
      if (packet.cmd === 'disconnect') return `disconnect ${packet.reasonCode}`
      return `${packet.cmd} ${(packet as { messageId?: number }).messageId}`
    })
    expect(told).toEqual(['puback 1', 'puback 2', 'puback 3', ...last])
    expect(ingested).toEqual(['1', '2', '3', 'will'])
  },
)

test('a device that has just got its CONNACK gets its DISCONNECT too', async () => {
  const device = await connectAsync(`mqtt://127.0.0.1:${port}`, { protocolVersion: 5, reconnectPeriod: 0 })
  const reasons: (number | undefined)[] = []
  device.on('disconnect', ({ reasonCode }) => reasons.push(reasonCode))
  const closed = new Promise<void>((resolve) => device.once('close', () => resolve()))
  await broker.drain!()
  await closed
  expect(reasons).toEqual([0x8b])
})

test('a device that does not close its side is cut after two seconds, and the broker still publishes', async () => {
  safe.resolve()
  const device = await aRawDevice(port, { protocolVersion: 5 })
  device.socket.allowHalfOpen = true
  const drained = broker.drain!()
  await device.next('disconnect')
  await drained
  device.socket.destroy()
  await broker.publish(createMessage())
  expect(ingested).toHaveLength(1)
})

test('a listener that drains refuses connections and keeps those it has', async () => {
  const device = await aRawDevice(port)
  door.drain()
  const [error] = await once(connect(port, '127.0.0.1'), 'error')
  expect(error).toMatchObject({ code: 'ECONNREFUSED' })
  safe.resolve()
  device.send(aPublish(1))
  await device.next('puback')
  device.socket.destroy()
})

test('MQTT over WebSocket gets its DISCONNECT too, and the connection closes', async () => {
  const overWs = createMqttWsDoor({
    ...{ host: '127.0.0.1', port: 0, flag: '--mqtt-ws-port', broker, observe },
    ...{ guard: () => undefined, uuid: () => 'id-1' },
  })
  onTestFinished(() => overWs.stop())
  const url = `ws://127.0.0.1:${await overWs.start()}/mqtt`
  const socket = new WebSocket(url, 'mqtt')
  const received = parser({ protocolVersion: 5 })
  const packets: Packet[] = []
  received.on('packet', (packet) => packets.push(packet))
  socket.on('message', (data) => received.parse(data as Buffer))
  const closed = once(socket, 'close')
  await once(socket, 'open')
  socket.send(generate({ cmd: 'connect', clientId: 'ws-1', protocolId: 'MQTT', protocolVersion: 5, clean: true }))
  await expect.poll(() => packets.length).toBe(1)
  overWs.drain()
  await broker.drain!()
  await closed
  expect(packets.at(-1)).toMatchObject({ cmd: 'disconnect', reasonCode: 0x8b })
  const [error] = await once(new WebSocket(url, 'mqtt'), 'error')
  expect(error).toMatchObject({ code: 'ECONNREFUSED' })
}, 15_000)
