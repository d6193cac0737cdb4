import { once } from 'node:events'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { GatewayError } from '../../../gateway/errors.ts'
import type { Door } from '../../../gateway/listen/door.ts'
import type { Publication } from '../../../gateway/listen/publisher.ts'
import { createGuards } from '../../../gateway/listen/trust.ts'
import { createWebSocketDoor } from '../../../gateway/listen/websocket.ts'
import { createTestAccess } from '../../helpers/access.ts'
import { createManualClock } from '../../helpers/manual-clock.ts'
import { createSpyObserve, type SpyObserve } from '../../helpers/spy-observe.ts'

let clock: ReturnType<typeof createManualClock>
let observe: SpyObserve
let door: Door
let port: number
let published: Publication[]
let publish: (publication: Publication) => Promise<void>

beforeEach(async () => {
  clock = createManualClock()
  observe = createSpyObserve()
  published = []
  publish = async () => {}
  door = createWebSocketDoor({
    ...{ host: '127.0.0.1', port: 0, flag: '--websocket-port', clock, observe, uuid: () => 'id-1' },
    guard: createGuards({ allowHosts: [], observe })('ingest', 'loopback'),
    access: createTestAccess({}, observe),
    publish: (_session, publication) => {
      published.push(publication)
      return publish(publication)
    },
    limits: { idleMs: 10_000, lifeMs: 60_000, pingMs: 1_000, maxFrameBytes: 1_000 },
  })
  port = await door.start()
})
afterEach(() => door.stop())

async function open(path = '', options = {}): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/${path}`, options)
  await once(socket, 'open')
  return socket
}

async function ask(socket: WebSocket, frame: unknown) {
  const answered = once(socket, 'message')
  socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame))
  return JSON.parse(String((await answered)[0]))
}

const reading = { action: 'publish', topic: 'dt/a', id: 'x' }

test.each<[what: string, payload: unknown, bytes: string, more?: object]>([
  ['text as it is', 'né', 'né'],
  ['JSON as its text', { n: 1.5 }, '{"n":1.5}'],
  ['base64 as its bytes', 'AAE=', '\0\x01', { encoding: 'base64' }],
  ['nothing as nothing', undefined, ''],
])('%s', async (_, payload, bytes, more = {}) => {
  expect(await ask(await open(), { ...reading, payload, ...more })).toEqual({ id: 'x', statusCode: 200 })
  expect(published).toEqual([{ topic: 'dt/a', qos: 1, retain: false, payload: Buffer.from(bytes) }])
})

test('it is acknowledged only when it is safe, and by its own id', async () => {
  const first = Promise.withResolvers<void>()
  publish = ({ topic }) => (topic === 'first' ? first.promise : Promise.resolve())
  const socket = await open()
  socket.send(JSON.stringify({ action: 'publish', topic: 'first', id: 1 }))
  expect(await ask(socket, { action: 'publish', topic: 'second', id: 2 })).toMatchObject({ id: 2 })
  const answered = once(socket, 'message')
  first.resolve()
  expect(JSON.parse(String((await answered)[0]))).toMatchObject({ id: 1 })
})

test('a frame without an id is not answered, unless something is wrong with it', async () => {
  const socket = await open()
  socket.send(JSON.stringify({ action: 'publish', topic: 'a' }))
  expect(await ask(socket, { action: 'ping', id: 9 })).toEqual({ id: 9, statusCode: 200, action: 'pong' })
  expect(published).toHaveLength(1)
  publish = () => Promise.reject(new GatewayError('SPOOL_FULL', 'the disk of /var is full'))
  expect(await ask(socket, { action: 'publish', topic: 'a' })).toEqual({
    statusCode: 503,
    error: 'SPOOL_FULL',
    message: 'the spool reached its byte limit',
    instance: 'urn:uuid:id-1',
  })
})

test.each([
  ['no JSON', 'x'],
  ['no object', 'null'],
  ['an action nobody knows', { action: 'steal', id: 'x' }],
  ['a topic that is none', { ...reading, topic: 7 }],
  ['QoS 2', { ...reading, qos: 2 }],
  ['base64 that is none', { ...reading, payload: '!', encoding: 'base64' }],
])('%s is answered, and the connection stays', async (_, frame) => {
  const socket = await open()
  expect(await ask(socket, frame)).toMatchObject({ statusCode: 400, error: 'REQUEST_INVALID', instance: 'urn:uuid:id-1' })
  expect(await ask(socket, reading)).toMatchObject({ statusCode: 200 })
  expect(observe.of('request.refused')).toMatchObject([{ code: 'REQUEST_INVALID', instance: 'id-1' }])
})

test('a frame over the limit ends the connection with 1009', async () => {
  const socket = await open()
  const closed = once(socket, 'close')
  socket.send('x'.repeat(1_001))
  expect((await closed)[0]).toBe(1009)
})

test.each([
  ['a token nobody has, in the query', 401, '?token=ci.x', {}],
  ['a token nobody has, in the header', 401, '', { headers: { authorization: 'Bearer ci.x' } }],
  ['a page of another site', 403, '', { headers: { origin: 'https://elsewhere.example' } }],
  ['a page that rebinds its name', 421, '', { headers: { host: 'elsewhere.example' } }],
  ['a proxy', 403, '', { headers: { 'x-forwarded-for': '192.0.2.1' } }],
])('%s is not let in', async (_, status, path, options) => {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/${path}`, options)
  socket.on('error', () => undefined)
  const [, response] = await once(socket, 'unexpected-response')
  expect([response.statusCode, response.headers['content-type']]).toEqual([status, 'application/problem+json'])
  response.resume()
})

test('silence ends a connection, pings do not keep it', async () => {
  const socket = await open()
  const closed = once(socket, 'close')
  for (let i = 0; i < 10; i++) {
    const pinged = i < 9 ? once(socket, 'ping') : Promise.resolve()
    await clock.advance(1_000)
    await pinged
    // Its pong is on its way back.
    await ask(await open(), { action: 'ping', id: 1 })
  }
  expect((await closed)[0]).toBe(1001)
})

test('age ends a connection that speaks', async () => {
  const socket = await open()
  const closed = once(socket, 'close')
  for (let i = 0; i < 60; i++) {
    await ask(socket, { action: 'ping', id: 1 })
    await clock.advance(1_000)
  }
  expect((await closed)[0]).toBe(1001)
})
