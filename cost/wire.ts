// Bytes on the wire for each protocol, as a model: specification sizes and round figures for handshakes, not a measurement.
import { messageBytes, messageIntervalMs, type Workload } from './workload.ts'

export interface Bytes {
  readonly up: number
  readonly down: number
}

/** What a message's bytes are spent on. Handshake and keep-alive are the shares of one message. */
export const wireParts = ['payload', 'framing', 'acks', 'tls', 'tcpip', 'handshake', 'keepAlive'] as const
export type WirePart = (typeof wireParts)[number]
/** Those that every message pays for itself. */
export const messageParts = ['payload', 'framing', 'acks', 'tls', 'tcpip'] as const
export type MessagePart = (typeof messageParts)[number]

/** As people read them. */
export const wirePartNames = {
  payload: 'payload',
  framing: 'framing',
  acks: 'acks',
  tls: 'TLS records',
  tcpip: 'TCP/IP',
  handshake: 'handshake',
  keepAlive: 'keep-alive',
} as const satisfies Record<WirePart, string>

export const wireProtocols = ['mqtts', 'mqtt-wss', 'https', 'wss'] as const
export type WireProtocol = (typeof wireProtocols)[number]

/** Always on, or a connection that is closed again after so many messages. */
export type Connection = { readonly kind: 'always-on' } | { readonly kind: 'per-messages'; readonly messages: number }

export interface Wire {
  readonly basis: 'modelled' | 'measured'
  /** Average of one message. */
  readonly parts: Readonly<Record<WirePart, Bytes>>
  readonly perMessage: Bytes
  readonly perSession: Bytes
  readonly perKeepAlive: Bytes
}

/** One TLS 1.3 record around application data: header, inner type, authentication tag. */
export const tlsRecord = 22
const tcpIpSegment = 40
const segmentPayload = 1_460
/** Opening and closing TCP: SYN and SYN-ACK with options, ACK; FIN and ACK both ways. */
const tcpOpenClose: Bytes = { up: 60 + 40 + 80, down: 60 + 80 }
/** A full TLS 1.3 handshake with ECDSA certificates: hello, chain, verify, finished, two session tickets. */
const tlsHandshakes = {
  mutual: { up: 1_700, down: 3_500 },
  serverOnly: { up: 500, down: 3_300 },
} as const satisfies Record<string, Bytes>
const httpRequestHead = 230
const httpResponse = 290
const webSocketUpgrade: Bytes = { up: 340, down: 200 }
const basicIngestPrefix = '$aws/rules/coldchain/'.length

/** Application bytes of one exchange, and which of them acknowledge. */
interface Exchange {
  readonly payload: number
  readonly framing: Bytes
  readonly acks: Bytes
}

interface ProtocolModel {
  message(workload: Workload, topicBytes: number): Exchange
  keepAlive: Bytes
  /** Application bytes that open and close a session, after TLS. */
  session(workload: Workload): Bytes
  readonly tls: Bytes
}

const models: Readonly<Record<WireProtocol, ProtocolModel>> = {
  mqtts: {
    message: mqttExchange,
    keepAlive: { up: 2, down: 2 },
    session: ({ clientIdBytes }) => ({ up: 14 + clientIdBytes + 2, down: 4 }),
    tls: tlsHandshakes.mutual,
  },
  'mqtt-wss': {
    message(workload, topicBytes) {
      const inner = mqttExchange(workload, topicBytes)
      const publish = inner.payload + inner.framing.up
      return {
        ...inner,
        framing: { up: inner.framing.up + clientFrame(publish), down: inner.framing.down },
        acks: { up: 0, down: inner.acks.down === 0 ? 0 : inner.acks.down + 2 },
      }
    },
    keepAlive: { up: 2 + clientFrame(2), down: 2 + 2 },
    session: ({ clientIdBytes }) => ({
      up: webSocketUpgrade.up + 16 + clientIdBytes + 2 * clientFrame(36),
      down: webSocketUpgrade.down + 4 + 2,
    }),
    tls: tlsHandshakes.serverOnly,
  },
  https: {
    message: (workload, topicBytes) => ({
      payload: messageBytes(workload),
      framing: { up: httpRequestHead + topicBytes, down: 0 },
      acks: { up: 0, down: httpResponse },
    }),
    keepAlive: { up: 0, down: 0 },
    session: () => ({ up: 0, down: 0 }),
    tls: tlsHandshakes.mutual,
  },
  wss: {
    message(workload, topicBytes) {
      const body = messageBytes(workload) + topicBytes
      return {
        payload: messageBytes(workload),
        framing: { up: topicBytes + clientFrame(body), down: 0 },
        acks: { up: 0, down: workload.qos * 26 },
      }
    },
    keepAlive: { up: clientFrame(0), down: 2 },
    session: () => ({ up: webSocketUpgrade.up + clientFrame(2), down: webSocketUpgrade.down + 4 }),
    tls: tlsHandshakes.serverOnly,
  },
}

/** The share of connection and keep-alive is spread over the messages of the workload. */
export function modelWire(protocol: WireProtocol, workload: Workload, connection: Connection, basicIngest = false): Wire {
  const model = models[protocol]
  const topicBytes = workload.topicBytes + (basicIngest ? basicIngestPrefix : 0)
  const { payload, framing, acks } = model.message(workload, topicBytes)
  const up = payload + framing.up + acks.up
  const down = framing.down + acks.down
  const tls = { up: records(up) * tlsRecord, down: records(down) * tlsRecord }
  const tcpip = tcpIp({ up: up + tls.up, down: down + tls.down })
  const open = addBytes(model.tls, encrypted(model.session(workload)))
  const perSession = addBytes(open, sessionTcpIp(open))
  const alive = encrypted(model.keepAlive)
  const perKeepAlive = model.keepAlive.up === 0 ? alive : addBytes(alive, tcpIp(alive))
  return composeWire(
    'modelled',
    { message: { payload: { up: payload, down: 0 }, framing, acks, tls, tcpip }, perSession, perKeepAlive },
    workload,
    connection,
  )
}

/** What is known of one message, one session and one keep-alive. */
export interface WireCosts {
  readonly message: Readonly<Record<MessagePart, Bytes>>
  readonly perSession: Bytes
  readonly perKeepAlive: Bytes
}

/** Gives each message its share of sessions and keep-alives. */
export function composeWire(
  basis: Wire['basis'],
  { message, perSession, perKeepAlive }: WireCosts,
  workload: Workload,
  connection: Connection,
): Wire {
  const parts = {
    ...message,
    handshake: scale(perSession, sessionsPerMessage(workload, connection)),
    keepAlive: scale(perKeepAlive, connection.kind === 'always-on' ? keepAlivesPerMessage(workload) : 0),
  }
  return { basis, parts, perMessage: addBytes(...Object.values(parts)), perSession, perKeepAlive }
}

/** Bytes that leave the cloud for each message, as a data transfer bill counts them: everything but TCP/IP headers. */
export function bytesOutPerMessage({ parts, perMessage }: Wire): number {
  return perMessage.down - parts.tcpip.down
}

/** Keep-alives that fall into the gap between two messages of an always-on device. */
export function keepAlivesPerMessage(workload: Workload): number {
  return Math.ceil(messageIntervalMs(workload) / workload.keepAliveMs) - 1
}

export function sessionsPerMessage(workload: Workload, connection: Connection): number {
  if (connection.kind === 'per-messages') return 1 / connection.messages
  return (workload.sessionsPerDeviceDay * messageIntervalMs(workload)) / 86_400_000
}

/** PUBLISH: fixed header, topic length, topic, packet id at QoS 1 [MQTT-3.3]; the answer is a PUBACK of four bytes. */
function mqttExchange(workload: Workload, topicBytes: number): Exchange {
  const payload = messageBytes(workload)
  const variable = 2 + topicBytes + 2 * workload.qos
  return {
    payload,
    framing: { up: 1 + remainingLengthBytes(variable + payload) + variable, down: 0 },
    acks: { up: 0, down: workload.qos * 4 },
  }
}

/** [MQTT-2.2.3]: seven bits a byte. */
function remainingLengthBytes(length: number): number {
  return length < 128 ? 1 : length < 16_384 ? 2 : length < 2_097_152 ? 3 : 4
}

/** Header and mask of a WebSocket frame from a client (RFC 6455, 5.2). */
function clientFrame(length: number): number {
  return 4 + (length < 126 ? 2 : length < 65_536 ? 4 : 10)
}

const records = (bytes: number) => Math.ceil(bytes / 16_384)
const encrypted = ({ up, down }: Bytes): Bytes => ({ up: up + records(up) * tlsRecord, down: down + records(down) * tlsRecord })

/** Headers of the data segments, and a bare acknowledgement from each side that got data last. */
export function tcpIp({ up, down }: Bytes): Bytes {
  const segments = (bytes: number) => Math.ceil(bytes / segmentPayload)
  return { up: (segments(up) + (down > 0 ? 1 : 0)) * tcpIpSegment, down: Math.max(segments(down), up > 0 ? 1 : 0) * tcpIpSegment }
}

/** Of connections that carry so much of the session's own: opened, used, closed. */
export function sessionTcpIp(bytes: Bytes): Bytes {
  return addBytes(tcpIp(bytes), tcpOpenClose)
}

export function addBytes(...all: readonly Bytes[]): Bytes {
  return all.reduce((sum, { up, down }) => ({ up: sum.up + up, down: sum.down + down }), { up: 0, down: 0 })
}

export const scale = ({ up, down }: Bytes, factor: number): Bytes => ({ up: up * factor, down: down * factor })
