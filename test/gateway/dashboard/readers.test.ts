import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { fastify } from 'fastify'
import { afterEach, expect, test } from 'vitest'
import { createReaders, type Reader } from '../../../gateway/dashboard/readers.ts'
import { codes, type GatewayError } from '../../../gateway/errors.ts'

const stops: (() => unknown)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

/** Open readers, oldest first, and a call that opens one more. */
async function setUp() {
  const server = fastify({ forceCloseConnections: true })
  const readers = createReaders()
  const opened: Reader[] = []
  const closed: Reader[] = []
  server.setErrorHandler((error, _request, reply) => reply.code(codes[(error as GatewayError).code].status).send())
  server.get('/', (request, reply) => {
    opened.push(readers.open(request, reply, (reader) => closed.push(reader)))
  })
  await server.listen({ host: '127.0.0.1', port: 0 })
  stops.push(() => server.close())
  const { port } = server.server.address() as AddressInfo
  const read = async () => {
    const socket = connect(port, '127.0.0.1')
    stops.unshift(() => socket.destroy())
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
    const [first] = (await once(socket, 'data')) as [Buffer]
    return { socket, status: Number(first.toString().slice(9, 12)) }
  }
  return { opened, closed, read }
}

test('refuses one reader more than the limit, until one leaves', async () => {
  const { closed, read } = await setUp()
  const all = await Promise.all(Array.from({ length: 64 }, read))
  expect(new Set(all.map(({ status }) => status))).toEqual(new Set([200]))
  expect((await read()).status).toBe(503)
  all[0]!.socket.destroy()
  await expect.poll(() => closed.length).toBe(1)
  expect((await read()).status).toBe(200)
})

test('disconnects a reader that does not read', async () => {
  const { opened, closed, read } = await setUp()
  const { socket } = await read()
  socket.pause()
  const data = { text: 'x'.repeat(65_536) }
  // The kernel takes a few megabytes, the stream 256 KiB.
  for (let sent = 0; sent < 1_000 && closed.length === 0; sent++) {
    opened[0]!.send('note', data)
    await new Promise(setImmediate)
  }
  await expect.poll(() => closed).toEqual(opened)
})
