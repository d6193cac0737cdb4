// The MQTT doors: TCP, TLS and WebSocket connections become one stream for the broker.
import { createServer, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { createWebSocketStream, type WebSocket, WebSocketServer } from 'ws'
import type { Broker } from '../broker/broker.ts'
import { GatewayError } from '../errors.ts'
import type { Observe } from '../observe/observe.ts'
import { callerOf, credentialsOf } from './credentials.ts'
import { type Address, type Door, drainingError, toDoor } from './door.ts'
import { type TlsFiles, toTlsOptions } from './tls.ts'
import type { Guard } from './trust.ts'
import { createUpgradeServer } from './upgrade.ts'

/** No frame holds more than the largest packet that AWS reads, 146 KB, many times over. */
const maxFrameBytes = 1024 * 1024

export interface MqttDoorOptions extends Address {
  readonly broker: Broker
  readonly observe: Observe
  /** Speaks TLS with it, and asks devices for their certificates. */
  readonly tls?: TlsFiles
}

export interface MqttWsDoorOptions extends MqttDoorOptions {
  readonly guard: Guard
  readonly uuid: () => string
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
export function createMqttWsDoor({ broker, observe, tls, guard, uuid, ...address }: MqttWsDoorOptions): Door {
  const transport = 'mqtt-ws'
  const webSockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: maxFrameBytes,
    handleProtocols: (offered) => (offered.has('mqtt') ? 'mqtt' : false),
  })
  let draining = false
  const server = createUpgradeServer({
    ...{ transport, guard, observe, uuid, tls },
    upgrade(request, socket, head) {
      const offered = request.headers['sec-websocket-protocol'] ?? ''
      if (request.url?.split('?', 1)[0] !== '/mqtt') throw new GatewayError('NOT_FOUND', 'MQTT over WebSocket has the path /mqtt')
      if (!offered.split(/,\s*/).includes('mqtt')) throw new GatewayError('REQUEST_INVALID', 'the subprotocol must be mqtt')
      if (draining) throw drainingError()
      const caller = { transport, ...credentialsOf(request) } as const
      webSockets.handleUpgrade(request, socket, head, (webSocket) => {
        closeOnText(webSocket)
        broker.accept?.(createWebSocketStream(webSocket), caller)
      })
    },
  })
  const door = toDoor(server, address, observe)
  return {
    ...door,
    drain() {
      draining = true
      door.drain()
    },
  }
}

/** MQTT travels in binary frames only [MQTT-6.0.0-1]. */
function closeOnText(webSocket: WebSocket): void {
  webSocket.on('message', (_data, isBinary) => {
    if (!isBinary) webSocket.terminate()
  })
}
