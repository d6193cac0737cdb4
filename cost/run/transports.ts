// The ways of speaking that a run measures: a row says how devices speak, through which door, and for which paths the figures stand.
import type { PathName } from '../paths.ts'
import type { WireProtocol } from '../wire.ts'
import { decodeHttp } from './http-units.ts'
import { decodeMqtt } from './mqtt-units.ts'
import type { Decode } from './unit.ts'
import { decodeMqttOverWebSocket, decodeWebSocket } from './web-socket-units.ts'

export interface Transport {
  readonly title: string
  readonly protocol: WireProtocol
  readonly driver: 'mqtts' | 'mqtt-ws' | 'https' | 'websocket'
  /** Of the gateway, as `gateway.ports` names it. */
  readonly door: 'mqtts' | 'mqttWss' | 'https' | 'websockets'
  url(port: number): string
  readonly decode: Decode
  /** A connection for each message. */
  readonly isReconnecting?: true
  /** Devices prove who they are inside the connection, as on the WebSocket endpoints of AWS: TLS asks for the server's certificate alone. */
  readonly isServerOnly?: true
  /** Keeps a silent connection open by itself. */
  readonly hasKeepAlive?: true
  /** Priced with what was metered. */
  readonly paths: readonly PathName[]
}

const mqtt = {
  protocol: 'mqtts',
  driver: 'mqtts',
  door: 'mqtts',
  url: (port: number) => `mqtts://127.0.0.1:${port}`,
  decode: decodeMqtt,
} as const
const https = {
  protocol: 'https',
  driver: 'https',
  door: 'https',
  url: (port: number) => `https://127.0.0.1:${port}`,
  decode: decodeHttp,
} as const

export const transports = {
  mqtt: { ...mqtt, title: 'MQTT over TLS, always on', hasKeepAlive: true, paths: ['iot-mqtt', 'weir-ec2'] },
  'mqtt-ws': {
    title: 'MQTT over WebSocket, always on',
    protocol: 'mqtt-wss',
    driver: 'mqtt-ws',
    door: 'mqttWss',
    url: (port) => `wss://127.0.0.1:${port}/mqtt`,
    decode: decodeMqttOverWebSocket,
    isServerOnly: true,
    hasKeepAlive: true,
    paths: ['iot-mqtt-ws'],
  },
  https: { ...https, title: 'HTTPS, connection kept', paths: ['iot-https', 'api-http-sqs', 'api-rest-sqs'] },
  websocket: {
    title: 'WebSocket, always on',
    protocol: 'wss',
    driver: 'websocket',
    door: 'websockets',
    url: (port) => `wss://127.0.0.1:${port}`,
    decode: decodeWebSocket,
    isServerOnly: true,
    paths: ['api-websocket-sqs'],
  },
  'reconnect-per-message': { ...mqtt, title: 'MQTT, a connection a message', isReconnecting: true, paths: ['iot-mqtt-reconnect'] },
  'https-per-message': { ...https, title: 'HTTPS, a connection a message', isReconnecting: true, paths: ['iot-https', 'api-http-sqs'] },
} as const satisfies Record<string, Transport>

export type TransportName = keyof typeof transports
export const transportNames = Object.keys(transports) as readonly TransportName[]
