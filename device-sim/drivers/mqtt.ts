// The lean MQTT drivers: bytes on bare sockets, for ten thousand devices in one process; over TCP, TLS and WebSocket.
import type { Duplex } from 'node:stream'
import type { Driver, DriverKind, DriverOptions, Session } from './driver.ts'
import { MqttSession } from './mqtt-session.ts'
import { encodeConnect } from './packets.ts'
import { createWiring, secure, type Wiring } from './wire.ts'

export const mqtt = {
  summary: 'MQTT 3.1.1 over TCP on bare sockets: the least memory and CPU per device.',
  schemes: ['mqtt:', 'tcp:'],
  target: 'mqtt://127.0.0.1:1883',
  create: (options) => createMqttDriver(options, dialTcp),
} satisfies DriverKind

export const mqtts = {
  summary: 'MQTT 3.1.1 over TLS, with a certificate for each device.',
  schemes: ['mqtts:', 'ssl:'],
  target: 'mqtts://127.0.0.1:8883',
  create: (options) => createMqttDriver(options, dialTls),
} satisfies DriverKind

export const mqttWs = {
  summary: 'MQTT 3.1.1 over WebSocket; wss:// where the target says so.',
  schemes: ['ws:', 'wss:'],
  target: 'ws://127.0.0.1:8083/mqtt',
  create: (options) => createMqttDriver(options, dialWebSocket),
} satisfies DriverKind

/** Gives a stream that may still be connecting, and how to break it. Bytes that come in go to `onBytes`. */
type Dial = (
  clientId: string,
  options: DriverOptions,
  wiring: Wiring,
  onBytes: (bytes: Buffer) => void,
) => Promise<{ readonly stream: Duplex; cut(): void }> | { readonly stream: Duplex; cut(): void }

/** One buffer for all plain sockets: `onread` hands it out, and a packet is either dealt with at once or its torn rest copied. */
const readBuffer = Buffer.allocUnsafe(65_536)

const dialTcp: Dial = (_, { target }, wiring, onBytes) => {
  const callback = (size: number) => {
    onBytes(readBuffer.subarray(0, size))
    return true
  }
  const stream = wiring.dial(target, 1883, { onread: { buffer: readBuffer, callback } })
  return { stream, cut: () => stream.resetAndDestroy() }
}

const dialTls: Dial = async (clientId, options, wiring, onBytes) => {
  const raw = wiring.dial(options.target, 8883)
  const stream = await secure(raw, options.target, clientId, options)
  stream.on('data', onBytes)
  return { stream, cut: () => raw.resetAndDestroy() }
}

const dialWebSocket: Dial = async (clientId, options, wiring, onBytes) => {
  const { createWebSocketStream } = await import('ws')
  const { openWebSocket } = await import('./web-socket.ts')
  const { socket, cut } = await openWebSocket(clientId, options, wiring, 'mqtt')
  const stream = createWebSocketStream(socket)
  // A stream whose other half is gone would wait for its own end.
  socket.once('close', () => stream.destroy())
  stream.on('data', onBytes)
  return { stream, cut }
}

function createMqttDriver(options: DriverOptions, dial: Dial): Driver {
  const { keepAliveMs, clock } = options
  const wiring = createWiring()
  const sessions = new Set<MqttSession>()
  const stop = clock.every(keepAliveMs / 4, () => {
    for (const session of sessions) session.keepAlive()
  })
  return {
    wire: wiring.wire,
    async connect(clientId, signal): Promise<Session> {
      signal.throwIfAborted()
      const session = new MqttSession()
      const onAbort = () => session.fail(signal.reason)
      signal.addEventListener('abort', onAbort, { once: true })
      try {
        const { stream, cut } = await dial(clientId, options, wiring, (bytes) => session.receive(bytes))
        await session.open(stream, cut, encodeConnect(clientId, keepAliveMs))
      } finally {
        signal.removeEventListener('abort', onAbort)
      }
      sessions.add(session)
      void session.closed.then(() => sessions.delete(session))
      return session
    },
    stop,
  }
}
