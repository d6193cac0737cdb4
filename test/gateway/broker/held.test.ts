// What the broker holds for its clients has one limit, whoever holds it.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, expect, test, vi } from 'vitest'
import type { Broker } from '../../../gateway/broker/broker.ts'
import { createEmbeddedBroker } from '../../../gateway/broker/embedded.ts'
import type { Memory } from '../../../gateway/broker/memory.ts'
import { createMemoryJournal } from '../../../gateway/broker/sessions/journal.ts'
import { createSessions, sessionsSchema } from '../../../gateway/broker/sessions/sessions.ts'
import type { Door } from '../../../gateway/listen/door.ts'
import { createMqttDoor } from '../../../gateway/listen/mqtt.ts'
import { createIds } from '../../../gateway/message/ids.ts'
import { systemClock } from '../../../lib/clock.ts'
import { createRandom } from '../../../lib/random.ts'
import { createTestAccess, noRates } from '../../helpers/access.ts'
import { createMessage } from '../../helpers/message.ts'
import { aRawDevice, type RawOptions } from '../../helpers/raw-mqtt.ts'
import { createSpyObserve, type SpyObserve } from '../../helpers/spy-observe.ts'

let broker: Broker
let door: Door
let port: number
let observe: SpyObserve
let memory: Memory

async function start(maxBytes: number, mostSilent = 2_048) {
  observe = createSpyObserve()
  const access = createTestAccess({ limits: { ...noRates.limits, subscriptionsPerConnection: 'off' } }, observe)
  broker = createEmbeddedBroker({
    ingest: async () => {},
    sessions: (routes, held) => {
      memory = held
      return createSessions({
        ...{ ...sessionsSchema.parse({}), maxRetained: 10, messageExpirySeconds: access.limits.messageExpirySeconds },
        ...{ routes, memory, clock: systemClock, observe, journal: createMemoryJournal },
      })
    },
    ...{ access, observe, maxBytes, mostSilent, clock: systemClock, ids: createIds(systemClock.now, createRandom(1)) },
  })
  await broker.start()
  door = createMqttDoor({ host: '127.0.0.1', port: 0, flag: '--mqtt-port', broker, observe })
  port = await door.start()
}

afterEach(async () => {
  await broker.stop()
  await door.stop()
})

const filtersFrom = (from: number) => Array.from({ length: 8 }, (_, i) => ({ topic: `cmd/device-${from + i}/+/do`, qos: 1 as const }))

/** The code of each filter. */
async function subscribeAll(options: RawOptions, filters: number) {
  const device = await aRawDevice(port, options)
  for (let from = 0; from < filters; from += 8) device.send({ cmd: 'subscribe', messageId: 1 + from, subscriptions: filtersFrom(from) })
  const granted = (await device.next('suback', filters / 8)).flatMap(({ granted }) => granted as readonly number[])
  return { device, granted }
}

test.each([
  ['MQTT 5, persistent session', { protocolVersion: 5, clean: false }, 0x97],
  ['MQTT 5, no session', { protocolVersion: 5 }, 0x97],
  ['MQTT 3.1.1, no session', { protocolVersion: 4 }, 0x80],
] as const)('%s: filters beyond the memory are refused, and taken again when others are gone', async (_, options, refused) => {
  await start(65_536)
  const { device, granted } = await subscribeAll(options, 400)
  expect(new Set(granted)).toEqual(new Set([1, refused]))
  expect(memory.used).toBeGreaterThan(60_000)
  expect(memory.used).toBeLessThanOrEqual(65_536)
  device.send({ cmd: 'unsubscribe', messageId: 900, unsubscriptions: filtersFrom(0).map(({ topic }) => topic) })
  await device.next('unsuback')
  device.send({ cmd: 'subscribe', messageId: 901, subscriptions: [{ topic: 'cmd/another/+/do', qos: 1 }] })
  const subacks = await device.next('suback', 51)
  expect(subacks.at(-1)!.granted).toEqual([1])
  device.socket.destroy()
})

test('a connection without a session gives its filters back when it ends', async () => {
  await start(65_536)
  const { device } = await subscribeAll({}, 40)
  expect(memory.used).toBeGreaterThan(10_000)
  device.socket.destroy()
  await observe.next('client.disconnected')
  expect(memory.used).toBe(0)
})

test('a session beyond the memory is refused with CONNACK 0x97 or 3, and a connection without a session is not', async () => {
  await start(65_536)
  const { device } = await subscribeAll({ clean: false, clientId: 'first' }, 400)
  memory.add(65_536 - memory.used)
  const five = await aRawDevice(port, { clientId: 'five', clean: false, protocolVersion: 5 })
  expect((await five.next('connack'))[0]).toMatchObject({ reasonCode: 0x97 })
  const three = await aRawDevice(port, { clientId: 'three', clean: false })
  expect((await three.next('connack'))[0]).toMatchObject({ returnCode: 3 })
  expect(observe.of('client.refused')).toMatchObject([{ code: 'SESSIONS_FULL', limit: 'sessions.maxBytes' }, { code: 'SESSIONS_FULL' }])
  const clean = await aRawDevice(port, { clientId: 'clean', protocolVersion: 5 })
  expect((await clean.next('connack'))[0]).toMatchObject({ reasonCode: 0 })
  const back = await aRawDevice(port, { clientId: 'first', clean: false })
  expect((await back.next('connack'))[0]).toMatchObject({ returnCode: 0, sessionPresent: true })
  for (const each of [device, five, three, clean, back]) each.socket.destroy()
})

test('what a client does not read is counted while it is connected, and no longer than that', async () => {
  await start(256 * 1024 ** 2)
  const device = await aRawDevice(port, {})
  device.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'cmd/#', qos: 1 }] })
  await device.next('suback')
  const before = memory.used
  device.socket.pause()
  const payload = Buffer.alloc(100_000)
  for (let i = 0; i < 60; i++) await broker.publish(createMessage(`${i}`, { topic: 'cmd/x', qos: 1, payload }))
  // The kernel holds some of it.
  expect(memory.used - before).toBeGreaterThan(2_000_000)
  device.socket.destroy()
  await observe.next('client.disconnected')
  expect(memory.used).toBe(0)
})

test('a client that left its session sets no timer that would keep its connection in memory', async () => {
  await start(65_536)
  const timers = vi.spyOn(globalThis, 'setTimeout')
  const device = await aRawDevice(port, { clientId: 'device', clean: false, protocolVersion: 5 })
  device.send({ cmd: 'disconnect' })
  await device.closed
  await observe.next('client.disconnected')
  const delays = timers.mock.calls.map(([, ms]) => ms ?? 0)
  timers.mockRestore()
  expect(delays, 'the session expires after 60 s').not.toContain(60_000)
})

test('of too many connections that say nothing the oldest are closed, and a client that connects is let in', async () => {
  await start(65_536, 20)
  const closed = new Set<number>()
  const sockets: Socket[] = []
  for (let i = 0; i < 30; i++) {
    const socket = connect(port, '127.0.0.1')
    socket
      .on('error', () => undefined)
      .on('close', () => closed.add(i))
      .resume()
    sockets.push(socket)
    await once(socket, 'connect')
  }
  const device = await aRawDevice(port, { protocolVersion: 5 })
  expect((await device.next('connack'))[0]).toMatchObject({ reasonCode: 0 })
  await expect.poll(() => [...closed].sort((a, b) => a - b)).toEqual(Array.from({ length: 11 }, (_, i) => i))
  expect(observe.of('client.refused')[0]).toMatchObject({ code: 'CONNECT_RATE_EXCEEDED', transport: 'mqtt' })
  for (const socket of [...sockets, device.socket]) socket.destroy()
})
