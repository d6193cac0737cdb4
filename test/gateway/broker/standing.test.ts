// What policies and the registry decide on connections that are there: who is told what, who is cut, and what then is not said in its name.
import type { IConnectPacket } from 'mqtt-packet'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { PolicyDocument } from '../../../gateway/access/policy-document.ts'
import { createThings, type Things, thingsSchema } from '../../../gateway/access/things.ts'
import type { Broker } from '../../../gateway/broker/broker.ts'
import { createEmbeddedBroker } from '../../../gateway/broker/embedded.ts'
import type { Door } from '../../../gateway/listen/door.ts'
import { createMqttDoor } from '../../../gateway/listen/mqtt.ts'
import { createIds } from '../../../gateway/message/ids.ts'
import type { Message } from '../../../gateway/message/message.ts'
import { systemClock } from '../../../lib/clock.ts'
import { createRandom } from '../../../lib/random.ts'
import { createTestAccess, noRates, testArns } from '../../helpers/access.ts'
import { createMessage } from '../../helpers/message.ts'
import { aRawDevice, type RawDevice, type RawOptions } from '../../helpers/raw-mqtt.ts'
import { createSpyObserve, type SpyObserve } from '../../helpers/spy-observe.ts'

let broker: Broker
let door: Door
let port: number
let observe: SpyObserve
let ingested: Message[]
let things: Things
let changed: () => void

const hash = `$scrypt$ln=14,r=8,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}`

/** One user, who may connect and publish, and subscribe to and receive what is said. */
function registry(allowed: { readonly subscribe?: string; readonly receive?: string }, users: readonly string[] = ['dev']): Things {
  const { subscribe = 'cmd/*', receive = 'cmd/*' } = allowed
  const device: PolicyDocument = {
    Version: '2012-10-17',
    Statement: [
      { Effect: 'Allow', Action: ['iot:Connect', 'iot:Publish', 'iot:RetainPublish'], Resource: '*' },
      { Effect: 'Allow', Action: 'iot:Subscribe', Resource: testArns.topicFilter(subscribe) },
      { Effect: 'Allow', Action: 'iot:Receive', Resource: testArns.topic(receive) },
    ],
  }
  const file = { policies: { device: {} }, users: users.map((name) => ({ name, hash, policies: ['device'] })) }
  return createThings(thingsSchema.parse(file), { device })
}

function change(next: Things): void {
  things = next
  changed()
}

beforeEach(async () => {
  observe = createSpyObserve()
  ingested = []
  things = registry({})
  const listen = (listener: () => void) => {
    changed = listener
    return () => undefined
  }
  broker = createEmbeddedBroker({
    ingest: async (message) => void ingested.push(message),
    access: createTestAccess(noRates, observe, { things: () => things, listen, verifier: { verify: async () => true } }),
    isRouted: (topic) => topic.startsWith('$aws/events/'),
    observe,
    clock: systemClock,
    ids: createIds(systemClock.now, createRandom(1)),
  })
  await broker.start()
  door = createMqttDoor({ host: '127.0.0.1', port: 0, flag: '--mqtt-port', broker, observe })
  port = await door.start()
})

afterEach(async () => {
  await broker.stop()
  await door.stop()
})

/** A client that has logged in, and so has policies. */
const aUser = (options: RawOptions = {}, connect: Partial<IConnectPacket> = {}) =>
  aRawDevice(port, { ...options, connect: { username: 'dev', password: Buffer.from('x'), ...connect } })

const texts = (device: RawDevice) => device.received.flatMap((packet) => (packet.cmd === 'publish' ? [`${packet.payload}`] : []))

const filters = (...topics: string[]) => ({
  ...({ cmd: 'subscribe', messageId: 1 } as const),
  subscriptions: topics.map((topic) => ({ topic, qos: 1 as const })),
})

/** Answered behind everything that was sent before. */
async function answers(device: RawDevice): Promise<void> {
  const before = device.received.filter(({ cmd }) => cmd === 'pingresp').length
  device.send({ cmd: 'pingreq' })
  await device.next('pingresp', before + 1)
}

const endings = () =>
  ingested
    .filter(({ topic }) => topic.includes('/disconnected/'))
    .map(({ payload }) => JSON.parse(`${Buffer.from(payload)}`).disconnectReason)

describe.each([true, false])('a SUBSCRIBE that no policy allows, clean session %s', (clean) => {
  test('ends an MQTT 3.1.1 connection without an answer, and none of its filters counts', async () => {
    const device = await aUser({ clean })
    device.send(filters('cmd/raw-1/#', 'secret/#'))
    await device.closed
    expect(device.received.map(({ cmd }) => cmd)).toEqual(['connack'])
    await observe.next('client.disconnected')
    await expect.poll(endings).toEqual(['AUTH_ERROR'])
    const back = await aUser({ clean })
    expect(broker.filtersOf?.('raw-1')).toEqual([])
    back.socket.destroy()
  })

  test('is told to MQTT 5 with 135 for that filter; the connection and its other filters stay', async () => {
    const device = await aUser({ clean, protocolVersion: 5 })
    device.send(filters('cmd/raw-1/#', 'secret/#'))
    expect(await device.next('suback')).toMatchObject([{ granted: [1, 135] }])
    await broker.publish(createMessage('hidden', { topic: 'secret/x', qos: 1 }))
    await broker.publish(createMessage('shown', { topic: 'cmd/raw-1/x', qos: 1 }))
    await device.next('publish')
    await answers(device)
    expect(texts(device)).toEqual(['shown'])
    expect(broker.filtersOf?.('raw-1')).toEqual(['cmd/raw-1/#'])
    expect(observe.of('client.failed')).toMatchObject([{ code: 'NOT_AUTHORIZED', topic: 'secret/#', action: 'iot:Subscribe' }])
    device.socket.destroy()
  })
})

describe.each([4, 5] as const)('MQTT version %i: a session whose policy changed while its client was away', (protocolVersion) => {
  async function resumed(next: Parameters<typeof registry>[0]): Promise<RawDevice> {
    const first = await aUser({ clean: false, protocolVersion })
    first.send(filters('cmd/raw-1/#', 'cmd/all'))
    await first.next('suback')
    first.socket.destroy()
    await observe.next('client.disconnected')
    await broker.publish(createMessage('waited', { topic: 'cmd/all', qos: 1 }))
    await broker.publish(createMessage('waited for raw-1', { topic: 'cmd/raw-1/x', qos: 1 }))
    change(registry(next))
    const device = await aUser({ clean: false, protocolVersion })
    expect((await device.next('connack'))[0]).toMatchObject({ sessionPresent: true })
    await broker.publish(createMessage('new', { topic: 'cmd/all', qos: 1 }))
    await broker.publish(createMessage('new for raw-1', { topic: 'cmd/raw-1/x', qos: 1 }))
    return device
  }

  test('gets nothing that it may no longer receive, neither what waited nor what comes, and each is told in the log', async () => {
    const device = await resumed({ receive: 'cmd/raw-1/*' })
    await device.next('publish', 2)
    await answers(device)
    expect(texts(device)).toEqual(['waited for raw-1', 'new for raw-1'])
    const dropped = { code: 'NOT_AUTHORIZED', clientId: 'raw-1', topic: 'cmd/all', action: 'iot:Receive' }
    expect(observe.of('delivery.dropped')).toMatchObject([dropped, dropped])
    // The filter is the session's still [AWS iot mqtt persistent sessions]: who may receive again does, without a new SUBSCRIBE.
    change(registry({}))
    await broker.publish(createMessage('allowed again', { topic: 'cmd/all', qos: 1 }))
    expect((await device.next('publish', 3)).map(({ payload }) => `${payload}`)).toContain('allowed again')
    device.socket.destroy()
  })

  test('keeps what it subscribed to where only subscribing is forbidden, as with AWS, and may not subscribe anew', async () => {
    const device = await resumed({ subscribe: 'none' })
    await device.next('publish', 4)
    expect(texts(device)).toEqual(['waited', 'waited for raw-1', 'new', 'new for raw-1'])
    device.send(filters('cmd/all'))
    if (protocolVersion === 5) expect(await device.next('suback')).toMatchObject([{ granted: [135] }])
    else await device.closed
    device.socket.destroy()
  })
})

test('a session that another principal began is asked about by the policies of whoever connects now', async () => {
  const anybody = await aRawDevice(port, { clean: false })
  anybody.send(filters('cmd/all', 'secret/x'))
  await anybody.next('suback')
  anybody.socket.destroy()
  await observe.next('client.disconnected')
  await broker.publish(createMessage('hidden', { topic: 'secret/x', qos: 1 }))
  await broker.publish(createMessage('shown', { topic: 'cmd/all', qos: 1 }))
  const device = await aUser({ clean: false })
  await device.next('publish')
  await answers(device)
  expect(texts(device)).toEqual(['shown'])
  device.socket.destroy()
})

describe.each([
  ['MQTT 3.1.1, clean session', { protocolVersion: 4, clean: true }],
  ['MQTT 3.1.1, persistent session', { protocolVersion: 4, clean: false }],
  ['MQTT 5, persistent session', { protocolVersion: 5, clean: false }],
] as const)('the will of a client, %s', (_, options) => {
  const topic = 'state/raw-1'
  const will = { topic, payload: Buffer.from('gone'), qos: 1, retain: true } as const
  let witness: RawDevice

  beforeEach(async () => {
    witness = await aRawDevice(port, { clientId: 'witness' })
    witness.send(filters('state/#'))
    await witness.next('suback')
  })

  test('that was cut off is not said, not routed and not retained', async () => {
    const device = await aUser(options, { will })
    change(registry({}, ['another']))
    await device.closed
    await observe.next('message.refused', (fields) => fields.topic === topic && fields.code === 'NOT_AUTHENTICATED')
    await broker.publish(createMessage('behind it', { topic: 'state/x', qos: 1 }))
    await witness.next('publish')
    const late = await aRawDevice(port, { clientId: 'late' })
    late.send(filters(topic))
    await late.next('suback')
    await answers(late)
    expect([texts(witness), texts(late)]).toEqual([['behind it'], []])
    expect(ingested.filter((message) => message.topic === topic)).toEqual([])
    for (const { socket } of [witness, late]) socket.destroy()
  })

  test('that was lost is', async () => {
    const device = await aUser(options, { will })
    device.socket.destroy()
    await witness.next('publish')
    expect(texts(witness)).toEqual(['gone'])
    expect(ingested.filter((message) => message.topic === topic)).toHaveLength(1)
    witness.socket.destroy()
  })
})
