// The MQTT doors: TCP and WebSocket connections become one stream for the broker.
import { createServer as createHttpServer } from 'node:http'
import { createServer, type Socket } from 'node:net'
import { createWebSocketStream, WebSocketServer } from 'ws'
import type { Broker } from '../broker/broker.ts'
import { type Address, closeServer, type Door, listenOn } from './door.ts'

export interface MqttDoorOptions extends Address {
  readonly broker: Broker
}

export function createMqttDoor({ broker, ...address }: MqttDoorOptions): Door {
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    broker.accept?.(socket, { transport: 'mqtt', ...sourceIpOf(socket) })
  })
  return { start: () => listenOn(server, address), stop: () => closeServer(server, sockets) }
}

/** MQTT over WebSocket on the path `/mqtt`, as AWS IoT Core has it; the subprotocol must be `mqtt` [MQTT-6.0.0-3]. */
export function createMqttWsDoor({ broker, ...address }: MqttDoorOptions): Door {
  const server = createHttpServer((_request, response) => response.writeHead(426, { upgrade: 'websocket' }).end())
  const webSockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has('mqtt') ? 'mqtt' : false),
  })
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.on('upgrade', (request, socket, head) => {
    const offered = request.headers['sec-websocket-protocol'] ?? ''
    if (request.url?.split('?', 1)[0] !== '/mqtt') return socket.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n')
    if (!offered.split(/,\s*/).includes('mqtt')) return socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n')
    webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      broker.accept?.(createWebSocketStream(webSocket), { transport: 'mqtt-ws', ...sourceIpOf(request.socket) })
    })
  })
  return { start: () => listenOn(server, address), stop: () => closeServer(server, sockets) }
}

function sourceIpOf({ remoteAddress }: Socket): { readonly sourceIp?: string } {
  return remoteAddress === undefined ? {} : { sourceIp: remoteAddress.replace(/^::ffff:/, '') }
}
