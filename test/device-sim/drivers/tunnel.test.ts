import { once } from 'node:events'
import { request } from 'node:http'
import { createServer, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { createTunnel } from '../../../device-sim/drivers/tunnel.ts'
import { createWiring } from '../../../device-sim/drivers/wire.ts'

async function startEcho() {
  const server = createServer((socket) => socket.on('error', () => undefined).pipe(socket)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const wiring = createWiring()
  const tunnel = createTunnel(wiring, new URL(`mqtts://127.0.0.1:${port}`), port)
  return { wiring, tunnel, stop: () => [tunnel.stop(), server.close()] }
}

/** Asks for a way to `path` as an HTTP client does that was told of a proxy. */
async function ask(port: number, user: string, path = 'elsewhere.example:443') {
  const auth = `Basic ${Buffer.from(`${user}:-`).toString('base64')}`
  const asked = request({ port, host: '127.0.0.1', method: 'CONNECT', path, headers: { 'proxy-authorization': auth } }).end()
  const [response, socket] = (await once(asked, 'connect')) as [{ statusCode: number }, Socket]
  return { status: response.statusCode, socket: socket.on('error', () => undefined) }
}

test('bytes go to the target, whatever place was asked for, and are counted there', async () => {
  const { wiring, tunnel, stop } = await startEcho()
  const line = await tunnel.line()
  const { status, socket } = await ask(line.proxy.port, line.proxy.user)
  expect(status).toBe(200)
  socket.write('hello')
  expect(String((await once(socket, 'data'))[0])).toBe('hello')
  expect(wiring.wire).toMatchObject({ sent: 5, received: 5 })
  line.cut()
  await once(socket, 'close')
  stop()
})

test('who was not announced, or comes twice, does not pass', async () => {
  const { tunnel, stop } = await startEcho()
  const line = await tunnel.line()
  expect((await ask(line.proxy.port, 'stranger')).status).toBe(407)
  const first = await ask(line.proxy.port, line.proxy.user)
  expect((await ask(line.proxy.port, line.proxy.user)).status).toBe(407)
  first.socket.destroy()
  line.release()
  expect((await ask(line.proxy.port, line.proxy.user)).status).toBe(407)
  stop()
})
