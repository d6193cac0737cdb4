// The one place that decides what a legal packet of a client is. Everything behind it may trust what it returns.
import type { PublishPacket } from '../packet.ts'
import { type ConnectPacket, decodeConnect, paddedLength, type Version } from './connect.ts'
import { IllegalPacket, malformed, protocolError, reasonOf } from './illegal.ts'
import { type Properties, type PropertyPlace, readProperties } from './properties.ts'
import { PacketReader } from './reader.ts'

export interface SubscribePacket {
  readonly cmd: 'subscribe'
  readonly messageId: number
  readonly subscriptions: readonly {
    readonly topic: string
    readonly qos: number
    /** MQTT 5: No Local, Retain As Published, Retain Handling [MQTT5-3.8.3.1]. */
    readonly nl?: boolean
    readonly rap?: boolean
    readonly rh?: number
  }[]
  readonly properties?: Properties
}

export interface UnsubscribePacket {
  readonly cmd: 'unsubscribe'
  readonly messageId: number
  readonly unsubscriptions: readonly string[]
}

/** Acknowledgements of either side. */
export interface AckPacket {
  readonly cmd: 'puback' | 'pubrec' | 'pubrel' | 'pubcomp'
  readonly messageId: number
  readonly reasonCode: number
}

export interface DisconnectPacket {
  readonly cmd: 'disconnect'
  readonly reasonCode: number
  readonly properties?: Properties
}

/** What a client may send, in the shape that aedes expects. */
export type Packet =
  | ConnectPacket
  | PublishPacket
  | SubscribePacket
  | UnsubscribePacket
  | AckPacket
  | { readonly cmd: 'pingreq' }
  | DisconnectPacket
  | { readonly cmd: 'auth' }

interface Kind {
  readonly name: string
  /** The lower four bits of the first byte; undefined: they carry data [MQTT-2.1.3-1]. */
  readonly flags?: number
  readonly decode: (reader: PacketReader, version: Version, first: number, padded: boolean) => Packet
}

const serverOnly =
  (name: string): Kind['decode'] =>
  () => {
    throw protocolError(`a client may not send ${name} [MQTT5-2.1.2]`)
  }

const ack = (name: 'PUBACK' | 'PUBREC' | 'PUBREL' | 'PUBCOMP', flags: number, reasons: readonly number[]): Kind => ({
  name,
  flags,
  decode: (reader, version) => decodeAck(reader, version, name, reasons),
})

const received = [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99] // [MQTT5-3.4.2.1]
const released = [0x00, 0x92] // [MQTT5-3.6.2.1]
/** Reasons that a client may give [MQTT5-3.14.2.1]. */
const left = [0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99]
const authentication = [0x00, 0x18, 0x19] // [MQTT5-3.15.2.1]

/** By packet type, the upper four bits of the first byte [MQTT5-2.1.2]. */
const kinds: readonly (Kind | undefined)[] = [
  undefined,
  { name: 'CONNECT', flags: 0, decode: (reader, _version, _first, padded) => decodeConnect(reader, padded) },
  { name: 'CONNACK', flags: 0, decode: serverOnly('CONNACK') },
  { name: 'PUBLISH', decode: decodePublish },
  ack('PUBACK', 0, received),
  ack('PUBREC', 0, received),
  ack('PUBREL', 2, released),
  ack('PUBCOMP', 0, released),
  { name: 'SUBSCRIBE', flags: 2, decode: decodeSubscribe },
  { name: 'SUBACK', flags: 0, decode: serverOnly('SUBACK') },
  { name: 'UNSUBSCRIBE', flags: 2, decode: decodeUnsubscribe },
  { name: 'UNSUBACK', flags: 0, decode: serverOnly('UNSUBACK') },
  { name: 'PINGREQ', flags: 0, decode: () => ({ cmd: 'pingreq' }) },
  { name: 'PINGRESP', flags: 0, decode: serverOnly('PINGRESP') },
  { name: 'DISCONNECT', flags: 0, decode: decodeDisconnect },
  { name: 'AUTH', flags: 0, decode: decodeAuth },
]

/** What the first byte of a packet says already. `version` is undefined until CONNECT has named one. Throws IllegalPacket. */
export function kindOf(first: number, version: Version | undefined): Kind {
  const kind = kinds[first >> 4]
  if (!kind) throw malformed('packet type 0 is reserved [MQTT5-2.1.2]')
  if (version === undefined && kind.name !== 'CONNECT') throw protocolError(`${kind.name} comes before CONNECT [MQTT-3.1.0-1]`)
  if (version !== undefined && kind.name === 'CONNECT') throw protocolError('a second CONNECT [MQTT-3.1.0-2]')
  if (kind.flags !== undefined && (first & 0x0f) !== kind.flags) throw malformed(`${kind.name} has wrong flags [MQTT-2.1.3-1]`)
  return kind
}

/**
 * Decodes one whole packet: `bytes[at]` is its first byte, and its body reaches from `start` to `end`.
 * Throws IllegalPacket.
 */
export function decode(bytes: Buffer, at: number, start: number, end: number, version: Version | undefined): Packet {
  const first = bytes[at]!
  const kind = kindOf(first, version)
  const padded = bytes[start - 1] === 0 && start - at > 2
  if (padded && version === 5) throw paddedLength()
  const reader = new PacketReader(bytes, start, end)
  const packet = kind.decode(reader, version ?? 4, first, padded)
  reader.expectEnd()
  return packet
}

function decodePublish(reader: PacketReader, version: Version, first: number): PublishPacket {
  const qos = (first >> 1) & 3
  const dup = (first & 8) !== 0
  if (qos === 3) throw malformed('PUBLISH has QoS 3 [MQTT-3.3.1-4]')
  if (dup && qos === 0) throw malformed('PUBLISH has DUP at QoS 0 [MQTT-3.3.1-2]')
  const length = reader.left
  const topic = reader.text('the topic')
  if (/[#+]/.test(topic)) throw new IllegalPacket(reasonOf.topicName, 'PUBLISH has a wildcard in its topic [MQTT-3.3.2-2]')
  const messageId = qos === 0 ? undefined : packetIdentifier(reader, 'PUBLISH')
  const properties = version === 5 ? readProperties(reader, 'PUBLISH') : undefined
  if (topic === '' && properties?.topicAlias === undefined) throw protocolError('PUBLISH has neither topic nor alias [MQTT5-3.3.2.1]')
  const packet = { cmd: 'publish', topic, payload: reader.rest(), qos: qos as 0 | 1 | 2, retain: (first & 1) !== 0, dup, length } as const
  return { ...packet, ...(messageId === undefined ? {} : { messageId }), ...(properties ? { properties } : {}) }
}

function decodeAck(reader: PacketReader, version: Version, name: Uppercase<AckPacket['cmd']>, reasons: readonly number[]): AckPacket {
  const messageId = packetIdentifier(reader, name)
  const reasonCode = version === 5 ? reasonAndProperties(reader, name, reasons).reasonCode : 0
  return { cmd: name.toLowerCase() as AckPacket['cmd'], messageId, reasonCode }
}

function decodeSubscribe(reader: PacketReader, version: Version): SubscribePacket {
  const messageId = packetIdentifier(reader, 'SUBSCRIBE')
  const properties = version === 5 ? readProperties(reader, 'SUBSCRIBE') : undefined
  if (reader.left === 0) throw protocolError('SUBSCRIBE has no topic filter [MQTT-3.8.3-2]')
  const subscriptions: SubscribePacket['subscriptions'][number][] = []
  while (reader.left > 0) subscriptions.push(decodeSubscription(reader, version))
  return { cmd: 'subscribe', messageId, subscriptions, ...(properties ? { properties } : {}) }
}

function decodeSubscription(reader: PacketReader, version: Version): SubscribePacket['subscriptions'][number] {
  const topic = topicFilter(reader)
  const options = reader.byte('the options of a subscription')
  const qos = options & 3
  if ((options & (version === 5 ? 0xc0 : 0xfc)) !== 0) throw malformed('reserved bits of a subscription are set [MQTT-3.8.3-5]')
  if (qos === 3) throw protocolError('SUBSCRIBE asks for QoS 3 [MQTT5-3.8.3.1]')
  if (version !== 5) return { topic, qos }
  const rh = (options >> 4) & 3
  if (rh === 3) throw protocolError('Retain Handling is 3 [MQTT5-3.8.3.1]')
  return { topic, qos, nl: (options & 4) !== 0, rap: (options & 8) !== 0, rh }
}

function decodeUnsubscribe(reader: PacketReader, version: Version): UnsubscribePacket {
  const messageId = packetIdentifier(reader, 'UNSUBSCRIBE')
  if (version === 5) readProperties(reader, 'UNSUBSCRIBE')
  if (reader.left === 0) throw protocolError('UNSUBSCRIBE has no topic filter [MQTT-3.10.3-2]')
  const unsubscriptions: string[] = []
  while (reader.left > 0) unsubscriptions.push(topicFilter(reader))
  return { cmd: 'unsubscribe', messageId, unsubscriptions }
}

function decodeDisconnect(reader: PacketReader, version: Version): DisconnectPacket {
  return { cmd: 'disconnect', ...(version === 5 ? reasonAndProperties(reader, 'DISCONNECT', left) : { reasonCode: 0 }) }
}

function decodeAuth(reader: PacketReader, version: Version): Packet {
  if (version !== 5) throw malformed('packet type 15 is reserved [MQTT-2.2.1]')
  reasonAndProperties(reader, 'AUTH', authentication)
  throw protocolError('AUTH without an authentication method in CONNECT [MQTT5-4.12]')
}

/** Both may be left out, from the end [MQTT5-3.4.2.1]. */
function reasonAndProperties(reader: PacketReader, place: PropertyPlace, reasons: readonly number[]) {
  const reasonCode = reader.left > 0 ? reader.byte('the reason code') : 0
  if (!reasons.includes(reasonCode)) throw protocolError(`a client may not send ${place} with reason code ${reasonCode} [MQTT5-2.4]`)
  const properties = reader.left > 0 ? readProperties(reader, place) : undefined
  return { reasonCode, ...(properties ? { properties } : {}) }
}

function packetIdentifier(reader: PacketReader, name: string): number {
  const identifier = reader.uint16('the packet identifier')
  if (identifier === 0) throw protocolError(`${name} has packet identifier 0 [MQTT-2.2.1-3]`)
  return identifier
}

function topicFilter(reader: PacketReader): string {
  const filter = reader.text('a topic filter')
  if (filter === '') throw malformed('a topic filter is empty [MQTT-4.7.3-1]')
  return filter
}
