// PUBLISH as bytes, for the subscribers of the broker [MQTT5-3.3].
import type { PacketProperties, PublishPacket } from '../packet.ts'

const maxTextBytes = 0xffff
const maxRemainingLength = 268_435_455

/** undefined: no packet can hold it, for a field is longer than its length can say. */
export function encodePublish(packet: PublishPacket, version: number): Buffer | undefined {
  const { topic, payload, qos, retain, dup, messageId = 0 } = packet
  const body = typeof payload === 'string' ? Buffer.from(payload) : payload
  const topicField = text(topic)
  const properties = version === 5 ? propertiesOf(packet.properties) : []
  if (!topicField || !properties) return undefined
  const identifier = qos === 0 ? [] : [uint16(messageId)]
  const remaining = lengthOf([topicField, ...identifier, ...properties]) + body.length
  if (remaining > maxRemainingLength) return undefined
  const first = 0x30 | (dup ? 8 : 0) | (qos << 1) | (retain ? 1 : 0)
  return Buffer.concat([Buffer.from([first]), varint(remaining), topicField, ...identifier, ...properties, body])
}

/** With their length in front. undefined: a property is too long. */
function propertiesOf(properties: PacketProperties = {}): Buffer[] | undefined {
  const { payloadFormatIndicator, messageExpiryInterval, contentType, responseTopic, correlationData, topicAlias, userProperties } =
    properties
  const fields = [
    ...(payloadFormatIndicator === undefined ? [] : [property(1, Buffer.from([payloadFormatIndicator ? 1 : 0]))]),
    ...(messageExpiryInterval === undefined ? [] : [property(2, uint32(messageExpiryInterval))]),
    ...(contentType === undefined ? [] : [property(3, text(contentType))]),
    ...(responseTopic === undefined ? [] : [property(8, text(responseTopic))]),
    ...(correlationData === undefined ? [] : [property(9, binary(correlationData))]),
    ...(topicAlias === undefined ? [] : [property(35, uint16(topicAlias))]),
    ...(userProperties ?? []).map(([name, value]) => property(38, text(name), text(value))),
  ]
  if (!fields.every((field) => field !== undefined)) return undefined
  return [varint(lengthOf(fields)), ...fields]
}

function property(identifier: number, ...values: readonly (Buffer | undefined)[]): Buffer | undefined {
  if (!values.every((value) => value !== undefined)) return undefined
  return Buffer.concat([Buffer.from([identifier]), ...values])
}

const text = (value: string) => binary(Buffer.from(value))

function binary(bytes: Buffer): Buffer | undefined {
  return bytes.length > maxTextBytes ? undefined : Buffer.concat([uint16(bytes.length), bytes])
}

const lengthOf = (buffers: readonly Buffer[]) => buffers.reduce((sum, { length }) => sum + length, 0)

function uint16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff])
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** A variable byte integer [MQTT5-1.5.5]. */
export function varint(value: number): Buffer {
  const bytes: number[] = []
  do {
    bytes.push((value % 128) | (value >= 128 ? 0x80 : 0))
    value = Math.floor(value / 128)
  } while (value > 0)
  return Buffer.from(bytes)
}
