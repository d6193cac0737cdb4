// Clients that stop halfway, on real sockets. Node.js looks every five seconds, so the tests run side by side.
import { once } from 'node:events'
import type { Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { closeServer } from '../../../gateway/listen/door.ts'
import { createServer, httpTimeouts, maxConnections } from '../../../gateway/listen/server.ts'
import { createUpgradeServer } from '../../../gateway/listen/upgrade.ts'
import { createSpyObserve } from '../../helpers/spy-observe.ts'

const options = { observe: createSpyObserve(), uuid: () => 'id-1', guard: () => undefined }

async function anHttpServer(): Promise<Server> {
  const server = createServer(options)
  server.post('/', async () => 'done')
  await server.ready()
  return server.server as Server
}

async function anUpgradeServer(): Promise<Server> {
  return createUpgradeServer({ ...options, transport: 'websocket', upgrade: () => undefined })
}

/** What a client hears that sends this and neither more nor a FIN, by the time the server has closed the connection. */
async function heard(server: Server, text: string): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted = once(server, 'connection') as Promise<[Socket]>
  const client = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true })
  let answer = ''
  client.on('data', (chunk) => {
    answer += chunk
  })
  const ended = once(client, 'end')
  client.write(text)
  const [socket] = await accepted
  socket.on('error', () => undefined)
  await new Promise((resolve) => socket.once('close', resolve))
  await ended
  await closeServer(server, [client])
  return answer
}

const host = 'Host: localhost\r\n'

const stuck = {
  nothing: '',
  'half a request line': 'POST / HT',
  'half its headers': `POST / HTTP/1.1\r\n${host}X-`,
  'half an upgrade': `GET / HTTP/1.1\r\n${host}Upgrade: websocket\r\nConnection: Upgrade\r\n`,
}
const stuckBodies = {
  'half a body': `POST / HTTP/1.1\r\n${host}Content-Length: 1000\r\n\r\nxx`,
  'a body without its last chunk': `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n2\r\nxx\r\n`,
  'half a body for a path that does not exist': `POST /nowhere HTTP/1.1\r\n${host}Content-Length: 1000\r\n\r\nxx`,
}

test.each([
  ['HTTP', anHttpServer],
  ['WebSocket', anUpgradeServer],
] as const)('the %s server limits headers, requests, idle connections and connections', async (_, create) => {
  const server = await create()
  const { headersTimeout, requestTimeout, keepAliveTimeout } = httpTimeouts
  expect(server).toMatchObject({ headersTimeout, requestTimeout, keepAliveTimeout, maxConnections })
  expect([headersTimeout, requestTimeout]).toEqual([10_000, 30_000])
})

test('a connection that stops halfway is closed, though its client closes nothing', async () => {
  const cases = [
    ...Object.entries({ ...stuck, ...stuckBodies }).map(([name, text]) => ({ name, text, create: anHttpServer })),
    ...Object.entries(stuck).map(([name, text]) => ({ name: `WebSocket: ${name}`, text, create: anUpgradeServer })),
  ]
  const close = async ({ name, text, create }: (typeof cases)[number]) => {
    const server = Object.assign(await create(), { headersTimeout: 50, requestTimeout: 50 })
    return `${name}: ${(await heard(server, text)).includes('HTTP/1.1 408 Request Timeout')}`
  }
  expect(await Promise.all(cases.map(close))).toEqual(cases.map(({ name }) => `${name}: true`))
})

test('closes a connection whose upgrade is refused, and one that does not upgrade', async () => {
  const refused = createUpgradeServer({
    ...{ ...options, transport: 'websocket' },
    upgrade() {
      throw new Error('no')
    },
  })
  expect(await heard(refused, `GET / HTTP/1.1\r\n${host}Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n`)).toMatch(/^HTTP\/1.1 500 /)
  expect(await heard(await anUpgradeServer(), `GET / HTTP/1.1\r\n${host}\r\n`)).toMatch(/^HTTP\/1.1 426 /)
})
