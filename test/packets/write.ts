// Writes packets as a client does, legal unless the caller says otherwise.
import { flagsOf, type PacketName, type Property, packetNames } from './spec.ts'

export const two = (value: number): Buffer => Buffer.from([value >> 8, value & 255])

export function four(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** A variable byte integer. */
export function variable(value: number): Buffer {
  const bytes: number[] = []
  do {
    bytes.push((value & 127) | (value > 127 ? 128 : 0))
    value >>>= 7
  } while (value > 0)
  return Buffer.from(bytes)
}

/** The same number in more bytes than it needs. */
export function longVariable(value: number, count: number): Buffer {
  return Buffer.from(Array.from({ length: count }, (_, i) => ((value >>> (7 * i)) & 127) | (i < count - 1 ? 128 : 0)))
}

/** A string, or binary data: both have their length in front. */
export function text(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([two(bytes.length), bytes])
}

export function packet(name: PacketName, body: Buffer, flags: number = flagsOf(name)): Buffer {
  return Buffer.concat([Buffer.from([(packetNames.indexOf(name) << 4) | flags]), variable(body.length), body])
}

export const section = (...properties: readonly Buffer[]): Buffer => {
  const bytes = Buffer.concat(properties)
  return Buffer.concat([variable(bytes.length), bytes])
}

/** A property of MQTT 5; nothing in MQTT 3.1.1. */
const sectionFor = (version: 4 | 5, properties: Buffer) => (version === 5 ? section(properties) : Buffer.alloc(0))

/** A value that every place takes. */
export function exampleOf({ type, id }: Property): Buffer {
  switch (type) {
    case 'byte':
      return Buffer.from([1])
    case 'two bytes':
      return two(5)
    case 'four bytes':
      return four(id === 0x27 ? 100_000 : 30)
    case 'variable byte':
      return Buffer.from([7])
    case 'string':
    case 'binary':
      return text('a/b')
    case 'pair':
      return Buffer.concat([text('name'), text('value')])
  }
}

export const property = (id: number, value: Buffer): Buffer => Buffer.concat([variable(id), value])

let made = 0
/** A word that no other packet has. */
export const unique = (kind: string): string => `${kind}${++made}`

export interface Will {
  readonly topic?: string | Buffer
  readonly payload?: string | Buffer
  readonly properties?: Buffer
}

export interface ConnectFields {
  readonly protocol?: string | Buffer
  readonly level?: number
  readonly flags?: number
  readonly clientId?: string | Buffer
  readonly properties?: Buffer
  readonly will?: Will
  readonly user?: string | Buffer
  readonly password?: string | Buffer
}

const nothing = Buffer.alloc(0)

/** Flags follow from the fields, unless they are given. */
export function connect(version: 4 | 5, fields: ConnectFields = {}): Buffer {
  const { protocol = 'MQTT', level = version, clientId = unique('c'), properties = nothing, will, user, password } = fields
  const flags = 2 | (will ? 4 : 0) | (user === undefined ? 0 : 128) | (password === undefined ? 0 : 64)
  const payload = [
    text(clientId),
    ...(will ? [sectionFor(version, will.properties ?? nothing), text(will.topic ?? 'a/will'), text(will.payload ?? unique('will'))] : []),
    ...(user === undefined ? [] : [text(user)]),
    ...(password === undefined ? [] : [text(password)]),
  ]
  const header = [text(protocol), Buffer.from([level, fields.flags ?? flags]), two(60), sectionFor(version, properties)]
  return packet('CONNECT', Buffer.concat([...header, ...payload]))
}

export interface PublishFields {
  readonly qos?: number
  readonly flags?: number
  readonly topic?: string | Buffer
  readonly packetId?: number
  readonly properties?: Buffer
  readonly payload?: string | Buffer
}

export function publish(version: 4 | 5, fields: PublishFields = {}): Buffer {
  const { qos = 1, flags = qos << 1, topic = 'a/topic', packetId = 9, properties = nothing, payload = unique('message') } = fields
  const id = flags & 6 ? two(packetId) : nothing
  return packet('PUBLISH', Buffer.concat([text(topic), id, sectionFor(version, properties), Buffer.from(payload)]), flags)
}

export interface SubscribeFields {
  readonly packetId?: number
  readonly properties?: Buffer
  readonly filters?: readonly (readonly [filter: string | Buffer, options: number])[]
}

export function subscribe(version: 4 | 5, { packetId = 10, properties = nothing, filters = [['s/1', 1]] }: SubscribeFields = {}): Buffer {
  const payload = filters.flatMap(([filter, options]) => [text(filter), Buffer.from([options])])
  return packet('SUBSCRIBE', Buffer.concat([two(packetId), sectionFor(version, properties), ...payload]))
}

export function unsubscribe(
  version: 4 | 5,
  fields: Omit<SubscribeFields, 'filters'> & { readonly filters?: readonly (string | Buffer)[] } = {},
) {
  const { packetId = 11, properties = nothing, filters = ['s/1'] } = fields
  return packet('UNSUBSCRIBE', Buffer.concat([two(packetId), sectionFor(version, properties), ...filters.map(text)]))
}

/** PUBACK, PUBREC, PUBREL and PUBCOMP; in MQTT 5 with a reason code and properties. */
export function answer(name: PacketName, version: 4 | 5, properties: Buffer = nothing, reason = 0, packetId = 12): Buffer {
  return packet(name, Buffer.concat([two(packetId), ...(version === 5 ? [Buffer.from([reason]), section(properties)] : [])]))
}

export function disconnect(version: 4 | 5, properties: Buffer = nothing, reason = 0): Buffer {
  return packet('DISCONNECT', version === 5 ? Buffer.concat([Buffer.from([reason]), section(properties)]) : nothing)
}

export function auth(properties: Buffer = nothing, reason = 0x18): Buffer {
  return packet('AUTH', Buffer.concat([Buffer.from([reason]), section(properties)]))
}

export const pingreq: Buffer = packet('PINGREQ', nothing)
