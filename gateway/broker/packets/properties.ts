// The properties of MQTT 5: which packet of a client may carry which, how often, and with which values [MQTT5-2.2.2.2].
import { IllegalPacket, malformed, protocolError, reasonOf } from './illegal.ts'
import type { PacketReader } from './reader.ts'

/** What properties can belong to. A will has its own [MQTT5-3.1.3.2]. */
export type PropertyPlace =
  | 'CONNECT'
  | 'will'
  | 'PUBLISH'
  | 'PUBACK'
  | 'PUBREC'
  | 'PUBREL'
  | 'PUBCOMP'
  | 'SUBSCRIBE'
  | 'UNSUBSCRIBE'
  | 'DISCONNECT'
  | 'AUTH'

export type Properties = Record<string, unknown>

interface Property {
  readonly name: string
  readonly read: Read
  readonly in: readonly PropertyPlace[]
  /** May appear more than once. All others are a protocol error then. */
  readonly repeats?: true
  /** MQTT knows the property in this packet, but forbids it to clients. */
  readonly forbidden?: { readonly in: PropertyPlace; readonly clause: string }
}

/** Throws IllegalPacket for a value that MQTT forbids. */
type Read = (reader: PacketReader, what: string) => unknown

const byte: Read = (reader, what) => reader.byte(what)
const uint16: Read = (reader, what) => reader.uint16(what)
const uint32: Read = (reader, what) => reader.uint32(what)
const varint: Read = (reader, what) => reader.varint(what)
const text: Read = (reader, what) => reader.text(what)
const binary: Read = (reader, what) => reader.binary(what)
const pair: Read = (reader, what) => [reader.text(what), reader.text(what)]

/** A byte that is 0 or 1. */
const flag =
  (reason: number): Read =>
  (reader, what) => {
    const value = reader.byte(what)
    if (value > 1) throw new IllegalPacket(reason, `${what} is ${value}, not 0 or 1`)
    return value === 1
  }

const not =
  (forbidden: number, read: Read, reason: number = reasonOf.protocol): Read =>
  (reader, what) => {
    const value = read(reader, what)
    if (value === forbidden) throw new IllegalPacket(reason, `${what} is ${forbidden}`)
    return value
  }

/** A topic name, so without wildcards [MQTT-3.3.2-14]. */
const topicName: Read = (reader, what) => {
  const name = reader.text(what)
  if (name === '' || /[#+]/.test(name)) throw protocolError(`${what} is not a topic name [MQTT-3.3.2-14]`)
  return name
}

const message: readonly PropertyPlace[] = ['PUBLISH', 'will']
const acks: readonly PropertyPlace[] = ['PUBACK', 'PUBREC', 'PUBREL', 'PUBCOMP']
const reasons: readonly PropertyPlace[] = [...acks, 'DISCONNECT', 'AUTH']
const all: readonly PropertyPlace[] = ['CONNECT', 'will', 'PUBLISH', ...reasons, 'SUBSCRIBE', 'UNSUBSCRIBE']

/** By identifier. A row whose `in` is empty belongs to packets that only a server sends. */
export const properties: Readonly<Record<number, Property>> = {
  1: { name: 'payloadFormatIndicator', read: flag(reasonOf.malformed), in: message },
  2: { name: 'messageExpiryInterval', read: uint32, in: message },
  3: { name: 'contentType', read: text, in: message },
  8: { name: 'responseTopic', read: topicName, in: message },
  9: { name: 'correlationData', read: binary, in: message },
  11: {
    name: 'subscriptionIdentifier',
    read: not(0, varint), // [MQTT5-3.8.2.1.2]
    in: ['SUBSCRIBE'],
    forbidden: { in: 'PUBLISH', clause: 'MQTT-3.3.4-6' },
  },
  17: { name: 'sessionExpiryInterval', read: uint32, in: ['CONNECT', 'DISCONNECT'] },
  18: { name: 'assignedClientIdentifier', read: text, in: [] },
  19: { name: 'serverKeepAlive', read: uint16, in: [] },
  21: { name: 'authenticationMethod', read: text, in: ['CONNECT', 'AUTH'] },
  22: { name: 'authenticationData', read: binary, in: ['CONNECT', 'AUTH'] },
  23: { name: 'requestProblemInformation', read: flag(reasonOf.protocol), in: ['CONNECT'] }, // [MQTT5-3.1.2.11.7]
  24: { name: 'willDelayInterval', read: uint32, in: ['will'] },
  25: { name: 'requestResponseInformation', read: flag(reasonOf.protocol), in: ['CONNECT'] }, // [MQTT5-3.1.2.11.6]
  26: { name: 'responseInformation', read: text, in: [] },
  28: { name: 'serverReference', read: text, in: [], forbidden: { in: 'DISCONNECT', clause: 'MQTT5-3.14.2.2.5' } },
  31: { name: 'reasonString', read: text, in: reasons },
  33: { name: 'receiveMaximum', read: not(0, uint16), in: ['CONNECT'] }, // [MQTT5-3.1.2.11.3]
  34: { name: 'topicAliasMaximum', read: uint16, in: ['CONNECT'] },
  35: { name: 'topicAlias', read: not(0, uint16, reasonOf.topicAlias), in: ['PUBLISH'] }, // [MQTT-3.3.2-8]
  36: { name: 'maximumQos', read: byte, in: [] },
  37: { name: 'retainAvailable', read: byte, in: [] },
  38: { name: 'userProperties', read: pair, in: all, repeats: true },
  39: { name: 'maximumPacketSize', read: not(0, uint32), in: ['CONNECT'] }, // [MQTT5-3.1.2.11.4]
  40: { name: 'wildcardSubscriptionAvailable', read: byte, in: [] },
  41: { name: 'subscriptionIdentifierAvailable', read: byte, in: [] },
  42: { name: 'sharedSubscriptionAvailable', read: byte, in: [] },
}

/** undefined: there are no properties. User properties are pairs in the order sent. Throws IllegalPacket. */
export function readProperties(reader: PacketReader, place: PropertyPlace): Properties | undefined {
  const length = reader.varint('the length of the properties')
  if (length === 0) return undefined
  const part = reader.part(length, 'the properties')
  const found: Properties = {}
  while (part.left > 0) readProperty(part, place, found)
  return found
}

function readProperty(reader: PacketReader, place: PropertyPlace, found: Properties): void {
  const identifier = reader.varint('a property identifier')
  const property = properties[identifier]
  if (!property) throw malformed(`${place} has an unknown property ${identifier} [MQTT5-2.2.2.2]`)
  const { name, read, repeats, forbidden } = property
  if (!property.in.includes(place)) {
    if (forbidden?.in === place) throw protocolError(`a client may not send ${name} in ${place} [${forbidden.clause}]`)
    throw malformed(`${name} does not belong to ${place} [MQTT5-2.2.2.2]`)
  }
  const value = read(reader, name)
  if (repeats) {
    const values = found[name] as unknown[] | undefined
    if (values) values.push(value)
    else found[name] = [value]
    return
  }
  if (found[name] !== undefined) throw protocolError(`${place} has ${name} twice [MQTT5-2.2.2.2]`)
  found[name] = value
}
