// What the MQTT 5 specification says about packets, as tables. The oracle and the generator read them; nothing here comes from the broker.

export type PacketName =
  | 'CONNECT'
  | 'CONNACK'
  | 'PUBLISH'
  | 'PUBACK'
  | 'PUBREC'
  | 'PUBREL'
  | 'PUBCOMP'
  | 'SUBSCRIBE'
  | 'SUBACK'
  | 'UNSUBSCRIBE'
  | 'UNSUBACK'
  | 'PINGREQ'
  | 'PINGRESP'
  | 'DISCONNECT'
  | 'AUTH'

/** Where properties can stand: in a packet, or in the will of a CONNECT. */
export type Place = PacketName | 'will'

/** MQTT control packet types [MQTT5-2.1.2]: the index is the number. 0 is reserved. */
export const packetNames: readonly (PacketName | undefined)[] = [
  undefined,
  'CONNECT',
  'CONNACK',
  'PUBLISH',
  'PUBACK',
  'PUBREC',
  'PUBREL',
  'PUBCOMP',
  'SUBSCRIBE',
  'SUBACK',
  'UNSUBSCRIBE',
  'UNSUBACK',
  'PINGREQ',
  'PINGRESP',
  'DISCONNECT',
  'AUTH',
]

/** The lower four bits of the first byte [MQTT5-2.1.3]. A PUBLISH has DUP, QoS and RETAIN there. */
export const flagsOf = (name: PacketName): number => (name === 'PUBREL' || name === 'SUBSCRIBE' || name === 'UNSUBSCRIBE' ? 2 : 0)

/** Packets that only a server sends [MQTT5-2.1.2]. */
export const serverOnly: ReadonlySet<PacketName> = new Set(['CONNACK', 'SUBACK', 'UNSUBACK', 'PINGRESP'])

export const malformed = 0x81
export const protocolError = 0x82

export type PropertyType = 'byte' | 'two bytes' | 'four bytes' | 'variable byte' | 'string' | 'binary' | 'pair'

export interface Property {
  readonly id: number
  readonly name: string
  readonly type: PropertyType
  readonly places: readonly Place[]
  readonly clause: string
  /** May stand more than once. */
  readonly repeatable?: true
  /** Numbers that the type can hold and the specification forbids, and the reason codes that may answer them. */
  readonly forbidden?: { readonly values: readonly number[]; readonly codes: readonly number[] }
  /** A place where only a server may send it, and the reason codes that may answer a client. */
  readonly serverOnly?: Place
}

const answers: readonly Place[] = ['CONNACK', 'PUBACK', 'PUBREC', 'PUBREL', 'PUBCOMP', 'SUBACK', 'UNSUBACK', 'DISCONNECT', 'AUTH']
const flag = { values: [2, 255], codes: [protocolError] }
const zero = { values: [0], codes: [protocolError] }

/** All properties [MQTT5-2.2.2.2]. */
export const properties: readonly Property[] = [
  {
    ...{ id: 0x01, name: 'payload format indicator', type: 'byte', places: ['PUBLISH', 'will'], clause: '3.3.2.3.2' },
    forbidden: { values: [2, 255], codes: [malformed] }, // not a value of its type [MQTT5-2.2.2.2]
  },
  { id: 0x02, name: 'message expiry interval', type: 'four bytes', places: ['PUBLISH', 'will'], clause: '3.3.2.3.3' },
  { id: 0x03, name: 'content type', type: 'string', places: ['PUBLISH', 'will'], clause: '3.3.2.3.9' },
  { id: 0x08, name: 'response topic', type: 'string', places: ['PUBLISH', 'will'], clause: '3.3.2.3.5' },
  { id: 0x09, name: 'correlation data', type: 'binary', places: ['PUBLISH', 'will'], clause: '3.3.2.3.6' },
  {
    ...{ id: 0x0b, name: 'subscription identifier', type: 'variable byte', places: ['PUBLISH', 'SUBSCRIBE'], clause: '3.8.2.1.2' },
    ...{ forbidden: zero, serverOnly: 'PUBLISH' }, // [MQTT-3.3.4-6]
  },
  {
    ...{ id: 0x11, name: 'session expiry interval', type: 'four bytes', clause: '3.1.2.11.2' },
    places: ['CONNECT', 'CONNACK', 'DISCONNECT'],
  },
  { id: 0x12, name: 'assigned client identifier', type: 'string', places: ['CONNACK'], clause: '3.2.2.3.7' },
  { id: 0x13, name: 'server keep alive', type: 'two bytes', places: ['CONNACK'], clause: '3.2.2.3.14' },
  { id: 0x15, name: 'authentication method', type: 'string', places: ['CONNECT', 'CONNACK', 'AUTH'], clause: '3.1.2.11.9' },
  { id: 0x16, name: 'authentication data', type: 'binary', places: ['CONNECT', 'CONNACK', 'AUTH'], clause: '3.1.2.11.10' },
  { id: 0x17, name: 'request problem information', type: 'byte', places: ['CONNECT'], clause: '3.1.2.11.7', forbidden: flag },
  { id: 0x18, name: 'will delay interval', type: 'four bytes', places: ['will'], clause: '3.1.3.2.2' },
  { id: 0x19, name: 'request response information', type: 'byte', places: ['CONNECT'], clause: '3.1.2.11.6', forbidden: flag },
  { id: 0x1a, name: 'response information', type: 'string', places: ['CONNACK'], clause: '3.2.2.3.15' },
  {
    ...{ id: 0x1c, name: 'server reference', type: 'string', places: ['CONNACK', 'DISCONNECT'], clause: '3.14.2.2.5' },
    serverOnly: 'DISCONNECT',
  },
  { id: 0x1f, name: 'reason string', type: 'string', places: answers, clause: '3.4.2.2.2' },
  { id: 0x21, name: 'receive maximum', type: 'two bytes', places: ['CONNECT', 'CONNACK'], clause: '3.1.2.11.3', forbidden: zero },
  { id: 0x22, name: 'topic alias maximum', type: 'two bytes', places: ['CONNECT', 'CONNACK'], clause: '3.1.2.11.5' },
  {
    ...{ id: 0x23, name: 'topic alias', type: 'two bytes', places: ['PUBLISH'], clause: '3.3.2.3.4' },
    forbidden: { values: [0], codes: [protocolError, 0x94] }, // [MQTT-3.3.2-8]
  },
  { id: 0x24, name: 'maximum QoS', type: 'byte', places: ['CONNACK'], clause: '3.2.2.3.4', forbidden: flag },
  { id: 0x25, name: 'retain available', type: 'byte', places: ['CONNACK'], clause: '3.2.2.3.5', forbidden: flag },
  {
    ...{ id: 0x26, name: 'user property', type: 'pair', clause: '3.3.2.3.7', repeatable: true },
    places: ['CONNECT', 'will', 'PUBLISH', 'SUBSCRIBE', 'UNSUBSCRIBE', ...answers],
  },
  { id: 0x27, name: 'maximum packet size', type: 'four bytes', places: ['CONNECT', 'CONNACK'], clause: '3.1.2.11.4', forbidden: zero },
  { id: 0x28, name: 'wildcard subscription available', type: 'byte', places: ['CONNACK'], clause: '3.2.2.3.11', forbidden: flag },
  { id: 0x29, name: 'subscription identifier available', type: 'byte', places: ['CONNACK'], clause: '3.2.2.3.12', forbidden: flag },
  { id: 0x2a, name: 'shared subscription available', type: 'byte', places: ['CONNACK'], clause: '3.2.2.3.13', forbidden: flag },
]

/** Identifiers that the specification does not define. A variable byte integer can hold the last two. */
export const unknownProperties: readonly number[] = [0x00, 0x04, 0x0a, 0x14, 0x2b, 0x7f, 0x80, 0x3fff]

const puback = [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]

/** Reason codes that a client may send [MQTT5-2.4, 3.4.2.1, 3.14.2.1, 3.15.2.1]. */
export const clientReasons: Readonly<Partial<Record<PacketName, readonly number[]>>> = {
  PUBACK: puback,
  PUBREC: puback,
  PUBREL: [0x00, 0x92],
  PUBCOMP: [0x00, 0x92],
  DISCONNECT: [0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99],
  AUTH: [0x18, 0x19],
}

/** Reason codes that a server may send [MQTT5-2.4]. */
export const serverReasons: Readonly<Partial<Record<PacketName, readonly number[]>>> = {
  CONNACK: [
    ...[0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90, 0x95, 0x97, 0x99, 0x9a, 0x9b, 0x9c, 0x9d],
    0x9f,
  ],
  PUBACK: puback,
  PUBREC: puback,
  PUBREL: [0x00, 0x92],
  PUBCOMP: [0x00, 0x92],
  SUBACK: [0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2],
  UNSUBACK: [0x00, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91],
  DISCONNECT: [
    ...[0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8d, 0x8e, 0x8f, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0x9b],
    ...[0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa2],
  ],
  AUTH: [0x00, 0x18, 0x19],
}
