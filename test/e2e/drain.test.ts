// What devices see of a gateway that got SIGTERM while the queues are unavailable, so that it drains until its timeout.
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'
import { aDirectory, aGatewayProcess } from '../helpers/program.ts'
import { aPublish, aRawDevice } from '../helpers/raw-mqtt.ts'

function aStuckGateway() {
  const dir = aDirectory()
  const config = join(dir, 'gateway.json')
  writeFileSync(config, JSON.stringify({ access: { limits: 'none' } }))
  const unavailable = ['--aws-endpoint', 'http://127.0.0.1:1', '--drain-timeout', '2s']
  return aGatewayProcess(['--config', config, '--data-dir', join(dir, 'data'), ...unavailable])
}

/** What becomes of a new connection. */
async function knock(port: number): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  const outcome = await Promise.race([
    once(socket, 'connect').then(() => 'accepted'),
    new Promise<string>((resolve) => socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code!))),
  ])
  socket.on('error', () => undefined).destroy()
  return outcome
}

/** Posts on one connection that stays open. */
function aPoster(port: number) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  onTestFinished(() => agent.destroy())
  return async () => {
    const sent = request({ host: '127.0.0.1', port, agent, method: 'POST', path: '/topics/dt/coldchain/acme/s/f/telemetry?qos=1' })
    sent.end('{"temperature":1}')
    const [socket] = await once(sent, 'socket')
    const { localPort } = socket
    const [response] = await once(sent, 'response')
    const { statusCode, headers } = response.resume()
    await once(response, 'end')
    return { status: statusCode, connection: headers.connection, retryAfter: headers['retry-after'], port: localPort as number }
  }
}

async function aWebSocket(port: number) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`)
  const closed = once(socket, 'close')
  await once(socket, 'open')
  return { socket, closed }
}

test('a draining gateway refuses connections, answers what it has, says goodbye, and keeps the ledger balanced', async () => {
  const { ports, child, line, finished } = await aStuckGateway()
  const [old, current, silent] = [
    await aRawDevice(ports.mqtt!, { clientId: 'f-4' }),
    await aRawDevice(ports.mqtt!, { clientId: 'f-5', protocolVersion: 5 }),
    connect(ports.mqtt!, '127.0.0.1').on('error', () => undefined),
  ]
  const silentClosed = once(silent, 'close')
  const { socket, closed } = await aWebSocket(ports.websocket!)
  const post = aPoster(ports.http!)
  const first = await post()
  expect(first).toMatchObject({ status: 200 })

  const sent = Array.from({ length: 200 }, (_, i) => aPublish(i + 1))
  old.send(...sent)
  current.send(...sent)
  socket.send(JSON.stringify({ action: 'publish', topic: 'dt/coldchain/acme/s/f/telemetry', payload: { temperature: 1 }, id: '1' }))
  await Promise.all([old.next('puback', 200), current.next('puback', 200), once(socket, 'message')])

  child.kill('SIGTERM')
  await line('gateway.draining')
  const ready = await fetch(`http://127.0.0.1:${ports.admin}/readyz`)
  expect({ status: ready.status, body: await ready.json() }).toEqual({ status: 503, body: { ready: false } })
  expect(await post()).toEqual({ status: 503, connection: 'close', retryAfter: '1', port: first.port })
  const listeners = ['mqtt', 'mqttWs', 'http', 'websocket']
  expect(await Promise.all(listeners.map((name) => knock(ports[name]!)))).toEqual(listeners.map(() => 'ECONNREFUSED'))
  const [code] = await closed
  expect(code).toBe(1001)
  await Promise.all([old.closed, current.closed, silentClosed])
  expect(current.received.at(-1)).toMatchObject({ cmd: 'disconnect', reasonCode: 0x8b })
  expect(old.received.at(-1)).toMatchObject({ cmd: 'puback' })

  const { code: exitCode, stdout } = await finished
  const stopped = stdout
    .split('\n')
    .map((text) => JSON.parse(text))
    .find(({ event }) => event === 'gateway.stopped') // prettier-ignore
  expect(exitCode).toBe(0)
  expect(stopped).toMatchObject({ accepted: 402, delivered: 0, pending: 0, balanced: true, refused: {} })
})

test('a publisher that does not stop has each PUBACK of what was kept, and DISCONNECT last', async () => {
  const { ports, child, finished } = await aStuckGateway()
  const device = await aRawDevice(ports.mqtt!, { protocolVersion: 5 })
  let id = 0
  const timer = setInterval(() => device.send(...Array.from({ length: 50 }, () => aPublish(++id))), 1)
  await device.next('puback', 500)
  child.kill('SIGTERM')
  await once(device.socket, 'end')
  clearInterval(timer)
  await device.closed
  const { stdout } = await finished
  const stopped = stdout
    .split('\n')
    .map((text) => JSON.parse(text))
    .find(({ event }) => event === 'gateway.stopped') // prettier-ignore
  const acknowledged = device.received.filter(({ cmd }) => cmd === 'puback').length
  expect(device.received.at(-1)).toMatchObject({ cmd: 'disconnect', reasonCode: 0x8b })
  expect(stopped).toMatchObject({ accepted: acknowledged, balanced: true, refused: {} })
})
