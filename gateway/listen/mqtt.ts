// The MQTT doors: TCP, TLS and WebSocket connections become one stream for the broker.
import { createServer as createHttpServer, type Server as HttpServer, type RequestListener } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { createServer, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { createWebSocketStream, WebSocketServer } from 'ws'
import type { Broker } from '../broker/broker.ts'
import type { Observe } from '../observe/observe.ts'
import { callerOf, credentialsOf } from './credentials.ts'
import { type Address, type Door, toDoor } from './door.ts'
import { type TlsFiles, toTlsOptions } from './tls.ts'

const handshakeTimeoutMs = 10_000
/** No frame holds more than the largest packet that AWS reads, 146 KB, many times over. */
const maxFrameBytes = 1024 * 1024

export interface MqttDoorOptions extends Address {
  readonly broker: Broker
  readonly observe: Observe
  /** Speaks TLS with it, and asks devices for their certificates. */
  readonly tls?: TlsFiles
}

/** MQTT over TCP, or over TLS with a certificate on both sides, as AWS IoT Core has it on 8883. */
export function createMqttDoor({ broker, observe, tls, ...address }: MqttDoorOptions): Door {
  const accept = (socket: Socket) => broker.accept?.(socket, { transport: tls ? 'mqtts' : 'mqtt', ...callerOf(socket) })
  const server = tls
    ? createTlsServer({ noDelay: true, ...toTlsOptions(tls), rejectUnauthorized: true }, accept)
    : createServer({ noDelay: true }, accept)
  return toDoor(server, address, observe)
}

/** MQTT over WebSocket on the path `/mqtt`, as AWS IoT Core has it; the subprotocol must be `mqtt` [MQTT-6.0.0-3]. */
export function createMqttWsDoor({ broker, observe, tls, ...address }: MqttDoorOptions): Door {
  const answer: RequestListener = (_request, response) => response.writeHead(426, { upgrade: 'websocket' }).end()
  const server: HttpServer = tls ? createHttpsServer(toTlsOptions(tls), answer) : createHttpServer(answer)
  server.headersTimeout = handshakeTimeoutMs
  const webSockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: maxFrameBytes,
    handleProtocols: (offered) => (offered.has('mqtt') ? 'mqtt' : false),
  })
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => socket.destroy())
    const offered = request.headers['sec-websocket-protocol'] ?? ''
    if (request.url?.split('?', 1)[0] !== '/mqtt') return socket.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n')
    if (!offered.split(/,\s*/).includes('mqtt')) return socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n')
    const caller = { transport: 'mqtt-ws' as const, ...credentialsOf(request) }
    webSockets.handleUpgrade(request, socket, head, (webSocket) => broker.accept?.(createWebSocketStream(webSocket), caller))
  })
  return toDoor(server, address, observe)
}
