// Packets that no honest client sends, on real sockets: the connection ends with a reason, and nothing else notices.
import { connect, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Broker } from '../../../gateway/broker/broker.ts'
import { createEmbeddedBroker } from '../../../gateway/broker/embedded.ts'
import type { Door } from '../../../gateway/listen/door.ts'
import { createMqttDoor } from '../../../gateway/listen/mqtt.ts'
import { createIds } from '../../../gateway/message/ids.ts'
import type { Message } from '../../../gateway/message/message.ts'
import { systemClock } from '../../../lib/clock.ts'
import { createRandom } from '../../../lib/random.ts'
import { createTestAccess, noRates } from '../../helpers/access.ts'
import { aPublish, aRawDevice } from '../../helpers/raw-mqtt.ts'
import { createSpyObserve, type SpyObserve } from '../../helpers/spy-observe.ts'

let broker: Broker
let door: Door
let port: number
let observe: SpyObserve
let ingested: Message[]
let ingest: (message: Message) => Promise<void>
let sockets: Socket[]

beforeEach(async () => {
  observe = createSpyObserve()
  ingested = []
  ingest = async (message) => void ingested.push(message)
  sockets = []
  broker = createEmbeddedBroker({
    ingest: (message) => ingest(message),
    access: createTestAccess(noRates, observe),
    ...{ observe, clock: systemClock, ids: createIds(systemClock.now, createRandom(1)) },
  })
  await broker.start()
  door = createMqttDoor({ host: '127.0.0.1', port: 0, flag: '--mqtt-port', broker, observe })
  port = await door.start()
})

afterEach(async () => {
  for (const socket of sockets) socket.destroy()
  await broker.stop()
  await door.stop()
})

interface Heard {
  readonly bytes: () => string
  readonly closed: Promise<void>
  send(hex: string): void
}

function speak(): Heard {
  const socket = connect(port, '127.0.0.1')
  sockets.push(socket)
  socket.on('error', () => {})
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => chunks.push(chunk))
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  return { bytes: () => Buffer.concat(chunks).toString('hex'), closed, send: (hex) => socket.write(Buffer.from(hex, 'hex')) }
}

/** Sends a CONNECT and, after its CONNACK, the rest. Resolves with what came back when the connection is closed. */
async function refused(input: string): Promise<string> {
  const [first = '', ...rest] = input.replaceAll(' ', '').split('|')
  const client = speak()
  client.send(first)
  let before = ''
  if (rest.length > 0) {
    await expect.poll(client.bytes, { interval: 5 }).toMatch(/^20/)
    before = client.bytes()
    client.send(rest.join(''))
  }
  await client.closed
  return client.bytes().slice(before.length)
}

const v4 = '100d00044d5154540402003c000161'
const v5 = '100e00044d5154540502003c00000162'

describe('an illegal packet ends its connection with a reason, and no other', () => {
  test.each<[string, string, string]>([
    ['QoS 1 PUBLISH without packet identifier, MQTT 3.1.1', '100d00044d5154540402003c0001413203000161', '20020000'],
    ['QoS 1 PUBLISH without packet identifier', `${v5}|3203000161`, 'e0028100'],
    ['Session Expiry twice in CONNECT', '101800044d5154540502003c0a110000000a110000000a000142', '2003008200'],
    ['Session Expiry twice in DISCONNECT', `${v5}|e00c000a110000000a110000000a`, 'e0028200'],
    ['Content Type twice', `${v5}|320f000161000708030001780300017878`, 'e0028200'],
    ['Content Type twice in a will', withWill('08 03000178 03000178'), '2003008200'],
    ['Response Topic cut short', `${v5}|32120005746f70696304d201087061796c6f6164`, 'e0028100'],
    ['Payload Format twice', `${v5}|320b0001610007040101010178`, 'e0028200'],
    ['Subscription Identifier in PUBLISH', `${v5}|3209000161000702 0b01 78`, 'e0028200'],
    ['SUBSCRIBE without filter', `${v5}|8203000100`, 'e0028200'],
    ['DISCONNECT that makes a session persistent', `${v5}|e00700051100000e10`, 'e0028200'],
    ['a second CONNECT', `${v5}|${v5}`, 'e0028200'],
    ['a protocol version that is not supported', '100d00044d5154540602003c000161', '20020001'],
    ['a packet over the limit', `${v5}|30ffff7f`, 'e0029500'],
  ])('%s', async (_, input, answer) => {
    const witness = await aRawDevice(port, { clientId: 'witness' })
    witness.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '#', qos: 1 }] })
    await witness.next('suback')
    expect(await refused(input)).toBe(answer)
    expect(ingested).toEqual([])
    await expect.poll(() => observe.of('client.failed')).toMatchObject([{ code: 'PROTOCOL' }])
    witness.send(aPublish(9))
    await witness.next('puback')
    expect(await witness.next('publish')).toHaveLength(1)
  })
})

/** A CONNECT of MQTT 5 with a will on `w`, and the properties of the will with their length. */
function withWill(properties: string): string {
  const body = `00044d51545405 06 003c 00 000142 ${properties} 000177 000178`.replaceAll(' ', '')
  return `10${(body.length / 2).toString(16)}${body}`
}

test('packets before an illegal one take effect, also when all come at once', async () => {
  const client = speak()
  client.send(`${v5}3207000161000100 7832070001610002 0078 30030001ff`.replaceAll(' ', ''))
  await client.closed
  expect(ingested.map(({ topic }) => topic)).toEqual(['a', 'a'])
  expect(client.bytes()).toMatch(/e0028100$/)
})

test.each(['constructor', '__proto__', 'toString', 'hasOwnProperty', 'valueOf'])(
  '%s is a client identifier like any other',
  async (clientId) => {
    const first = await aRawDevice(port, { clientId })
    first.send(aPublish(1))
    await first.next('puback')
    const second = await aRawDevice(port, { clientId })
    await first.closed
    second.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: clientId, qos: 1 }] })
    await second.next('suback')
    second.send(aPublish(2, { topic: clientId }))
    await second.next('publish')
    expect(broker.filtersOf?.(clientId)).toEqual([clientId])
  },
)

test('user properties reach a subscriber in their order, also under the names of object members', async () => {
  const subscriber = speak()
  subscriber.send(`${v5}82070001000001 6100`.replaceAll(' ', ''))
  await expect.poll(subscriber.bytes, { interval: 5 }).toMatch(/9004000100/)
  const pairs = pairsHex([
    ['__proto__', '1'],
    ['b', '2'],
    ['__proto__', '3'],
  ])
  const publisher = speak()
  publisher.send('100e00044d5154540502003c00000163')
  await expect.poll(publisher.bytes, { interval: 5 }).toMatch(/^20/)
  const body = `000161${(pairs.length / 2).toString(16).padStart(2, '0')}${pairs}78`
  publisher.send(`30${(body.length / 2).toString(16).padStart(2, '0')}${body}`)
  await expect.poll(subscriber.bytes, { interval: 5 }).toContain(pairs)
})

function pairsHex(pairs: readonly (readonly [string, string])[]): string {
  const text = (value: string) => value.length.toString(16).padStart(4, '0') + Buffer.from(value).toString('hex')
  return pairs.map(([name, value]) => `26${text(name)}${text(value)}`).join('')
}

test('a client that accepts no packet as large as the CONNACK is closed without one [MQTT-3.1.2-24]', async () => {
  expect(await refused('101300044d5154540502003c052700000005000162')).toBe('')
  await expect.poll(() => observe.of('client.failed')).toMatchObject([{ code: 'PROTOCOL', detail: expect.stringContaining('CONNACK') }])
})

test('a DISCONNECT that makes a session persistent is not a clean end: the will is sent [MQTT5-3.14.2.2.2]', async () => {
  const witness = await aRawDevice(port, { clientId: 'witness' })
  witness.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'w', qos: 0 }] })
  await witness.next('suback')
  expect(await refused(`${withWill('00')}|e00700051100000e10`)).toBe('e0028200')
  expect(await witness.next('publish')).toMatchObject([{ topic: 'w' }])
})

test.each([4, 5] as const)('of 20 simultaneous CONNECTs of one client identifier one connection stays, version %i', async (version) => {
  const connects = Array.from({ length: 20 }, speak)
  for (const client of connects)
    client.send(version === 4 ? '100d00044d5154540400003c000161' : '101300044d5154540500003c05110000003c000161')
  let open = connects.length
  for (const client of connects) void client.closed.then(() => open--)
  await expect.poll(() => open, { timeout: 10_000 }).toBe(1)
  const publisher = await aRawDevice(port, { clientId: 'publisher' })
  publisher.send(aPublish(1))
  await publisher.next('puback')
  expect(open).toBe(1)
})

test('a session that has just ended is not present for the next connection [MQTT-3.2.2-3]', async () => {
  for (let round = 0; round < 20; round++) {
    const client = speak()
    client.send('101300044d5154540502003c05110000003c000161') // Clean Start, and a session for a minute
    await expect.poll(client.bytes, { interval: 1 }).toMatch(/^20..00/)
    client.send('e00700051100000000') // ends it now
    const next = speak()
    next.send('101300044d5154540500003c05110000003c000161')
    await expect.poll(next.bytes, { interval: 1 }).toMatch(/^20..0000/)
    next.send('e00700051100000000')
    await next.closed
  }
})

test('PUBREC and PUBREL are answered, though QoS 2 is offered to nobody', async () => {
  const client = speak()
  client.send(`${v4}50020007620200085002000970020007`)
  await expect.poll(client.bytes, { interval: 5 }).toBe('20020000620200077002000862020009')
})

test.each([
  ['of the usual kind', '3206000161000178'],
  ['that is retained', '3306000161000178'],
])('an error of the gateway while it handles a PUBLISH %s ends that connection, and is logged with its cause', async (_, publish) => {
  const witness = await aRawDevice(port, { clientId: 'witness' })
  const works = ingest
  ingest = () => {
    throw new TypeError('a bug')
  }
  await refused(`${v4}|${publish}`)
  const failures = observe.of('client.failed').filter(({ code }) => code === 'INTERNAL')
  expect(failures).toMatchObject([{ clientId: 'a', detail: expect.stringContaining('TypeError: a bug') }])
  ingest = works
  witness.send(aPublish(1))
  await witness.next('puback')
})

test('a SUBACK that is larger than the client accepts is not sent [MQTT-3.1.2-24]', async () => {
  const filters = Array.from({ length: 30 }, () => '000161 00').join('')
  const answer = await refused(`101300044d5154540502003c052700000020000162|82 7b 0001 00 ${filters}`)
  expect(answer).toBe('e0029500')
})

test.each([
  ['No Local on a shared subscription', '8210000a00000a2473686172652f672f7304', 'e0028200'],
  ['QoS 2', '340800016100090003 78', 'e0029b00'],
  ['an unknown topic alias', '3209 0000 0009 03 230003 78', 'e0028200'],
  ['a subscription identifier', '820b000a020b070003732f3101', 'e002a100'],
])('packets after the one that ended the connection do not count: %s [MQTT-3.14.4-1]', async (_, packet, answer) => {
  expect(await refused(`${v5}|${packet}c000`)).toBe(answer)
})

test('a remaining length with bytes that it does not need is malformed in a CONNECT of MQTT 5 [MQTT-1.5.5-1]', async () => {
  expect(await refused('108e0000044d5154540502003c00000162')).toBe('2003008100')
})

test('a PUBLISH reaches its subscribers although its publisher leaves before the PUBACK', async () => {
  const subscriber = await aRawDevice(port, { clientId: 'subscriber' })
  subscriber.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'a', qos: 1 }] })
  await subscriber.next('suback')
  const client = speak()
  client.send(`${v4}32060001610001 78e000`.replaceAll(' ', ''))
  expect(await subscriber.next('publish')).toMatchObject([{ topic: 'a', qos: 1 }])
})

test('what follows a DISCONNECT in the same segment does not count [MQTT-3.14.4-1]', async () => {
  await refused(`${v4}|e000 3206000161000178`)
  expect(ingested).toEqual([])
})
