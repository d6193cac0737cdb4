// Clients that mean no good, or are broken: they cost themselves the connection, and nobody else anything; and nobody learns what is inside.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connectAsync } from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'
import { insideOf } from '../helpers/inside.ts'
import { aDevice } from '../helpers/mqtt-client.ts'
import { aGatewayProcess } from '../helpers/program.ts'

type Gateway = Awaited<ReturnType<typeof aGatewayProcess>>

/** Connections that say `hello` and then nothing, or one byte at a time. */
async function hold(port: number, count: number, hello: string): Promise<readonly Socket[]> {
  const sockets: Socket[] = []
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
  })
  for (let i = 0; i < count; i += 100) {
    const some = Array.from({ length: Math.min(100, count - i) }, () => connect(port, '127.0.0.1'))
    sockets.push(...some)
    await Promise.all(
      some.map(async (socket) => {
        socket.on('error', () => undefined)
        await once(socket, 'connect')
        socket.write(hello)
      }),
    )
  }
  return sockets
}

test('two thousand half-open connections and slow requests do not stop a device', async () => {
  const { ports } = await aGatewayProcess()
  const device = await aDevice(ports.mqtt!, { clientId: 'honest' })
  onTestFinished(() => void device.end(true))
  const publish = async () => {
    const began = performance.now()
    await device.publishAsync('dt/coldchain/acme/s/honest/telemetry', '{"n":1}', { qos: 1 })
    return performance.now() - began
  }
  await publish()
  // Half an MQTT CONNECT, half a request, half a WebSocket handshake; and sockets that never speak.
  await hold(ports.mqtt!, 1_000, '\x10\x20\x00\x04MQ')
  const slow = await hold(ports.http!, 500, 'POST /topics/a HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\nx-')
  await hold(ports.websocket!, 250, 'GET / HTTP/1.1\r\nupgrade: websocket\r\n')
  await hold(ports.mqttWs!, 250, '')
  const times: number[] = []
  for (let i = 0; i < 50; i++) {
    for (const socket of slow.slice(0, 100)) socket.write('a')
    times.push(await publish())
  }
  const ordered = times.toSorted((a, b) => a - b)
  const [p50, p95, max] = [ordered[25]!, ordered[47]!, ordered[49]!].map((ms) => ms.toFixed(1))
  console.log(`beside 2,000 half-open connections and 100 slow requests: 50 publishes, p50 ${p50}, p95 ${p95}, max ${max} ms`)
  expect(ordered[45]).toBeLessThan(1_000)
  const posted = await fetch(`http://127.0.0.1:${ports.http}/topics/dt%2Fa?qos=1`, { method: 'POST', body: '{}' })
  expect(posted.status).toBe(200)
  const second = await aDevice(ports.mqtt!, { clientId: 'also-honest' })
  await second.endAsync()
})

async function http({ ports }: Gateway, door: string, path: string, init: RequestInit = {}): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${ports[door]}${path}`, { method: 'POST', ...init })
  return `${response.status} ${[...response.headers].map((header) => header.join(': ')).join('\n')}\n${await response.text()}`
}

async function raw(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  socket.end(text)
  let all = ''
  for await (const chunk of socket) all += chunk
  return all
}

test('no error says what is inside', async () => {
  const gateway = await aGatewayProcess()
  const { ports } = gateway
  const answers: string[] = [
    await http(gateway, 'http', '/topics/a%00b', { body: '{}' }),
    await http(gateway, 'http', '/topics/%2Baws', { body: '{}' }),
    await http(gateway, 'http', '/topics/a/b/c/d/e/f/g/h/i', { body: '{}' }),
    await http(gateway, 'http', '/topics/%', { body: '{}' }),
    await http(gateway, 'http', '/topics/a?qos=7', { body: '{}' }),
    await http(gateway, 'http', '/topics/a', { body: 'x'.repeat(200_000) }),
    await http(gateway, 'http', '/topics/a', { method: 'DELETE' }),
    await http(gateway, 'http', '/nowhere', { body: '{}' }),
    await http(gateway, 'http', '/topics/a', { headers: { authorization: 'Bearer nobody.x' } }),
    await http(gateway, 'http', '/topics/a', { headers: { 'x-amz-mqtt5-user-properties': '!!' } }),
    await http(gateway, 'admin', '/api/devices/nobody/commands/ping'),
    await http(gateway, 'admin', '/api/devices/%/commands/ping'),
    await http(gateway, 'admin', '/api/devices/a/commands/ping', { body: 'x'.repeat(200_000) }),
    await http(gateway, 'admin', '/api/nothing'),
    await raw(ports.http!, 'NONSENSE\r\n\r\n'),
    await raw(ports.http!, `GET / HTTP/1.1\r\nx: ${'x'.repeat(100_000)}\r\n\r\n`),
    await raw(ports.websocket!, 'NONSENSE\r\n\r\n'),
    await raw(
      ports.websocket!,
      'GET /?token=nobody.x HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    ),
    await raw(ports.mqttWs!, 'GET /other HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n'),
    ...(await webSocketErrors(ports.websocket!)),
    ...(await mqttErrors(ports.mqtt!)),
  ]
  expect(answers.length).toBeGreaterThan(28)
  for (const answer of answers) {
    expect(answer).toMatch(/4\d\d|reason/)
    expect(insideOf(answer)).toEqual([])
  }
})

async function webSocketErrors(port: number): Promise<readonly string[]> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`)
  await once(socket, 'open')
  const answers: string[] = []
  const frames = [
    'nonsense',
    '[]',
    'null',
    '{"action":"steal","id":1}',
    '{"action":"publish","topic":"a/+","id":2}',
    '{"action":"publish","topic":7}',
    '{"action":"publish","topic":"a","payload":"!","encoding":"base64"}',
    '{"action":"publish","topic":"$aws/things/x","payload":"!"}',
  ]
  for (const frame of frames) {
    socket.send(frame)
    answers.push(String((await once(socket, 'message'))[0]))
  }
  const closed = once(socket, 'close')
  socket.send('x'.repeat(200_000))
  const [code, reason] = await closed
  return [...answers, `reason ${code} ${reason} 4xx`.replace('4xx', '400')]
}

async function mqttErrors(port: number): Promise<readonly string[]> {
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`, { protocolVersion: 5, clientId: 'curious', reconnectPeriod: 0 })
  const heard: string[] = []
  client.on('packetreceive', (packet) => heard.push(JSON.stringify({ reason: packet })))
  client.on('error', () => undefined)
  await client.publishAsync('$aws/things/x', 'x', { qos: 1 }).catch(() => undefined)
  await client.publishAsync('a/b/c/d/e/f/g/h/i', 'x', { qos: 1 }).catch(() => undefined)
  await client.subscribeAsync('$SYS/#').catch(() => undefined)
  const closed = new Promise((resolve) => client.once('close', () => resolve(undefined)))
  client.publish('a', Buffer.alloc(140_000), { qos: 1 })
  await closed
  client.end(true)
  return heard
}
