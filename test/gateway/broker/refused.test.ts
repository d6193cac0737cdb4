// A publish that is refused: the pipeline does not have it, no subscriber has it, and the ledger's `refused` counts it.
import { afterEach, expect, test } from 'vitest'
import type { Broker } from '../../../gateway/broker/broker.ts'
import { createEmbeddedBroker } from '../../../gateway/broker/embedded.ts'
import { createFileJournal } from '../../../gateway/broker/sessions/journal.ts'
import { createSessions, sessionsSchema } from '../../../gateway/broker/sessions/sessions.ts'
import { GatewayError } from '../../../gateway/errors.ts'
import type { Door } from '../../../gateway/listen/door.ts'
import { createMqttDoor } from '../../../gateway/listen/mqtt.ts'
import { createIds } from '../../../gateway/message/ids.ts'
import type { Message } from '../../../gateway/message/message.ts'
import { createLosses } from '../../../gateway/spool/losses.ts'
import { systemClock } from '../../../lib/clock.ts'
import { createRandom } from '../../../lib/random.ts'
import { createTestAccess, noRates } from '../../helpers/access.ts'
import { fastPaths } from '../../helpers/fast-paths.ts'
import { type Call, createMemoryFs, errno } from '../../helpers/memory-fs.ts'
import { createMessage } from '../../helpers/message.ts'
import { aPublish, aRawDevice, type RawDevice, type RawOptions } from '../../helpers/raw-mqtt.ts'
import { createSpyObserve } from '../../helpers/spy-observe.ts'

let broker: Broker
let door: Door
let port: number
let disk: 'ok' | 'full'
let pipeline: 'ok' | 'full'
let ingested: string[]
let observe: ReturnType<typeof createSpyObserve>

async function start() {
  observe = createSpyObserve()
  ingested = []
  disk = 'ok'
  pipeline = 'ok'
  const fs = createMemoryFs()
  fs.fault = (call: Call) => (disk === 'full' && ['write', 'datasync', 'open'].includes(call) ? errno('ENOSPC') : undefined)
  const access = createTestAccess(noRates, observe)
  const ids = createIds(systemClock.now, createRandom(1))
  broker = createEmbeddedBroker({
    fastPaths,
    async ingest({ payload }: Message) {
      if (pipeline === 'full') throw new GatewayError('SPOOL_FULL', 'full')
      ingested.push(`${Buffer.from(payload)}`)
    },
    sessions: (routes, memory) =>
      createSessions({
        ...{ ...sessionsSchema.parse({}), maxRetained: 10, messageExpirySeconds: access.limits.messageExpirySeconds },
        ...{ routes, memory, clock: systemClock, observe },
        journal: (journaled) =>
          createFileJournal({
            journaled,
            dir: '/sessions',
            salt: 1,
            observe,
            fs,
            clock: systemClock,
            losses: createLosses({ clock: systemClock, observe }).place('sessions', 'sessions'),
          }),
      }),
    ...{ access, observe, clock: systemClock, ids },
  })
  await broker.start()
  door = createMqttDoor({ host: '127.0.0.1', port: 0, flag: '--mqtt-port', broker, observe })
  port = await door.start()
}

afterEach(async () => {
  await broker.stop()
  await door.stop()
})

async function subscriber(options: RawOptions = {}): Promise<RawDevice> {
  const device = await aRawDevice(port, { clientId: 'away', clean: false, ...options })
  device.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'cmd/#', qos: 1 }] })
  await device.next('suback')
  return device
}

const payloadsOf = (device: RawDevice) => device.received.flatMap((packet) => (packet.cmd === 'publish' ? [`${packet.payload}`] : []))

/** A device that sends one publish until it is acknowledged, each time on a new connection; the number of tries. */
async function persist(tries: number, beforeLast: () => void, payload = '42'): Promise<number> {
  for (let tried = 1; tried <= tries; tried++) {
    if (tried === tries) beforeLast()
    const device = await aRawDevice(port, { clientId: 'device' })
    device.send(aPublish(7, { topic: 'cmd/x', payload, dup: tried > 1 }))
    const acked = await Promise.race([device.next('puback').then(() => true), device.closed.then(() => false)])
    device.socket.destroy()
    if (acked) return tried
  }
  return Number.POSITIVE_INFINITY
}

test('a full session disk: ten tries are ingested once, nine are counted as refused, and each subscriber gets one copy', async () => {
  await start()
  const away = await subscriber()
  away.socket.destroy()
  await observe.next('client.disconnected')
  disk = 'full'
  const tried = await persist(10, () => {
    disk = 'ok'
  })
  expect(tried).toBe(10)
  expect(ingested).toEqual(['42'])
  expect(observe.of('message.refused')).toHaveLength(9)
  expect(observe.of('message.refused')[0]).toMatchObject({ code: 'SESSIONS_FAILED', clientId: 'device', topic: 'cmd/x', transport: 'mqtt' })
  const back = await aRawDevice(port, { clientId: 'away', clean: false })
  await back.next('publish')
  back.send({ cmd: 'pingreq' })
  await back.next('pingresp')
  expect(payloadsOf(back)).toEqual(['42'])
  back.socket.destroy()
})

test('a retained message that the session disk refuses is not ingested', async () => {
  await start()
  disk = 'full'
  await expect(broker.publish(createMessage('1', { topic: 'state/x', retain: true }))).rejects.toMatchObject({ code: 'SESSIONS_FAILED' })
  expect(ingested).toEqual([])
  expect(observe.of('message.refused')).toMatchObject([{ code: 'SESSIONS_FAILED' }])
})

test('a publish that the pipeline refuses reaches no session: ten tries, one copy for those connected and those away', async () => {
  await start()
  const away = await subscriber()
  away.socket.destroy()
  await observe.next('client.disconnected')
  const here = await subscriber({ clientId: 'here' })
  pipeline = 'full'
  await persist(10, () => {
    pipeline = 'ok'
  })
  expect(ingested).toEqual(['42'])
  const back = await aRawDevice(port, { clientId: 'away', clean: false })
  for (const device of [here, back]) {
    await device.next('publish')
    device.send({ cmd: 'pingreq' })
    await device.next('pingresp')
    expect(payloadsOf(device)).toEqual(['42'])
    device.socket.destroy()
  }
})

test('publishes of one device enter the pipeline in their order, whether or not they wait for the session disk', async () => {
  await start()
  const away = await subscriber()
  away.socket.destroy()
  const device = await aRawDevice(port, { clientId: 'device' })
  device.send(aPublish(1, { topic: 'dt/x' }))
  await device.next('puback')
  const topics = ['cmd/x', 'dt/x', 'cmd/x', 'dt/x', 'dt/x', 'cmd/x', 'dt/x']
  device.send(...topics.map((topic, i) => aPublish(i + 2, { topic, retain: i === 4 })))
  const acks = await device.next('puback', 8)
  expect(ingested).toEqual(['1', '2', '3', '4', '5', '6', '7', '8'])
  expect(acks.map(({ messageId }) => messageId)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
  device.socket.destroy()
})
