// A message: one PUBLISH and where it came from. This file imports nothing.

/** Only ever added to: the spool writes their places in this list. */
export const transports = ['mqtt', 'mqtts', 'mqtt-ws', 'http', 'https', 'websocket', 'upstream', 'inside'] as const
export type Transport = (typeof transports)[number]

export interface Source {
  readonly clientId: string
  readonly transport: Transport
  /** Certificate id or user name. */
  readonly principal?: string
  readonly sourceIp?: string
  /** From the identity, or from a topic level that the policy pins to it. Never from the payload. */
  readonly tenant?: string
}

/** The MQTT 5 properties that travel with a PUBLISH [MQTT5-3.3.2.3]. */
export interface MqttProperties {
  readonly contentType?: string
  /** true: the payload is UTF-8 text. */
  readonly payloadFormatIndicator?: boolean
  readonly responseTopic?: string
  readonly correlationData?: Uint8Array
  readonly messageExpiryIntervalSeconds?: number
  /** In the order they were sent; names may repeat. */
  readonly userProperties?: readonly (readonly [name: string, value: string])[]
}

/** One publish, whatever door it came through. Never changed after it was made: a later room makes a new one. */
export interface Message {
  /** ULID, given once, at the door. Doubles as idempotency key and FIFO deduplication id. */
  readonly id: string
  readonly topic: string
  /** Bytes; only rules parse them. */
  readonly payload: Uint8Array
  /** QoS 2 is refused, as AWS IoT Core refuses it. */
  readonly qos: 0 | 1
  readonly retain: boolean
  /** Milliseconds since the epoch, at the door. */
  readonly receivedAt: number
  readonly source: Source
  /** How often a rule republished it; a limit stops loops. */
  readonly hops: number
  /** W3C traceparent. */
  readonly trace?: string
  readonly properties?: MqttProperties
}
