// A PUBLISH as a message, and a message as a PUBLISH. The packet has the shape that aedes expects.
import type { Message, MqttProperties } from '../message/message.ts'

export interface PublishPacket {
  readonly cmd: 'publish'
  readonly topic: string
  readonly payload: string | Buffer
  readonly qos: 0 | 1 | 2
  readonly retain?: boolean
  readonly dup?: boolean
  readonly messageId?: number | undefined
  /** Bytes after the fixed header; absent in a will and in what the gateway publishes itself. */
  readonly length?: number
  readonly properties?: PacketProperties | undefined
}

/** The part of MQTT 5's properties that a PUBLISH may have [MQTT5-3.3.2.3]. */
export interface PacketProperties {
  readonly contentType?: string
  readonly payloadFormatIndicator?: boolean
  readonly responseTopic?: string
  readonly correlationData?: Buffer
  readonly messageExpiryInterval?: number
  /** In the order sent; names may repeat. */
  readonly userProperties?: readonly (readonly [name: string, value: string])[]
  readonly topicAlias?: number
}

export function payloadOf({ payload }: Pick<PublishPacket, 'payload'>): Buffer {
  return typeof payload === 'string' ? Buffer.from(payload) : payload
}

export function toProperties(from: PacketProperties): MqttProperties {
  const { contentType, payloadFormatIndicator, responseTopic, correlationData, messageExpiryInterval, userProperties } = from
  return {
    ...(contentType === undefined ? {} : { contentType }),
    ...(payloadFormatIndicator === undefined ? {} : { payloadFormatIndicator }),
    ...(responseTopic === undefined ? {} : { responseTopic }),
    ...(correlationData === undefined ? {} : { correlationData }),
    ...(messageExpiryInterval === undefined ? {} : { messageExpiryIntervalSeconds: messageExpiryInterval }),
    ...(userProperties === undefined ? {} : { userProperties }),
  }
}

/** For a subscriber. DUP is never set: a message sent again may have another packet id [AWS iot mqtt differences]. */
export function toPacket(message: Pick<Message, 'topic' | 'payload' | 'properties'>, qos: 0 | 1, retain: boolean): PublishPacket {
  const { topic, payload: bytes, properties } = message
  const payload = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const packet = { cmd: 'publish', topic, payload, qos, retain, dup: false } as const
  return properties ? { ...packet, properties: fromProperties(properties) } : packet
}

function fromProperties(properties: MqttProperties): PacketProperties {
  const { correlationData, messageExpiryIntervalSeconds, ...same } = properties
  return {
    ...same,
    ...(correlationData ? { correlationData: Buffer.from(correlationData) } : {}),
    ...(messageExpiryIntervalSeconds === undefined ? {} : { messageExpiryInterval: messageExpiryIntervalSeconds }),
  }
}
