// The CONNACK that a client gets: aedes' own, with what only this broker knows put in.
import type { Duplex } from 'node:stream'
import { varint } from './packets/encode.ts'

export interface Connack {
  /** An earlier session goes on [MQTT-3.2.2-2]. */
  readonly sessionPresent: boolean
  /** MQTT 5: instead of the reason that aedes gives. */
  readonly reasonCode?: number
  /** MQTT 5: one byte each, by identifier, in the place of those that are there [MQTT5-3.2.2.3]. */
  readonly features: Readonly<Record<number, number>>
}

/** Identifiers of properties that say what a server supports [MQTT5-2.2.2.2]. */
export const feature = {
  maximumQos: 0x24,
  retainAvailable: 0x25,
  wildcardSubscriptionAvailable: 0x28,
  subscriptionIdentifiersAvailable: 0x29,
  sharedSubscriptionAvailable: 0x2a,
} as const

const oneByte = new Set<number>(Object.values(feature))

export interface AmendOptions {
  /** undefined: as aedes writes it. */
  readonly amend: () => Connack | undefined
  readonly version: () => number
  /** The largest packet that the client accepts [MQTT5-3.1.2.11.4]. */
  readonly maxBytes: () => number
  /** Called instead of sending a CONNACK that is larger. */
  readonly onTooLarge: (bytes: number) => void
}

/** The first packet that is written to the stream passes through `amend`; everything after it goes straight on. */
export function amendConnack(stream: Duplex, { amend, version, maxBytes, onTooLarge }: AmendOptions): void {
  const write = stream.write
  let held = Buffer.alloc(0)
  const letGo = (bytes: Uint8Array, done?: () => void) => {
    stream.write = write
    if (bytes.length <= maxBytes()) return stream.write(bytes, done)
    onTooLarge(bytes.length)
    return true
  }
  stream.write = ((chunk: Uint8Array | string, done?: () => void) => {
    held = Buffer.concat([held, Buffer.from(chunk as Uint8Array)])
    const whole = lengthOf(held)
    if (whole === undefined || held.length < whole) return true
    const connack = held[0] === 0x20 ? amend() : undefined
    return letGo(connack ? Buffer.concat([amended(held.subarray(0, whole), connack, version()), held.subarray(whole)]) : held, done)
  }) as Duplex['write']
}

/** Of a whole packet, as far as its fixed header is there. */
function lengthOf(bytes: Buffer): number | undefined {
  const remaining = readVarint(bytes, 1)
  return remaining && remaining.next + remaining.value
}

export function amended(packet: Buffer, { sessionPresent, reasonCode, features }: Connack, version: number): Buffer {
  const body = readVarint(packet, 1)!.next
  const flags = sessionPresent ? 1 : 0
  if (version !== 5) return Buffer.from([0x20, 2, flags, packet[body + 1]!])
  const properties = readVarint(packet, body + 2)
  const given = properties ? packet.subarray(properties.next, properties.next + properties.value) : Buffer.alloc(0)
  const added = Object.entries(features).flatMap(([identifier, value]) => [Number(identifier), value])
  const all = Buffer.concat([without(given, features), Buffer.from(added)])
  const rest = Buffer.concat([Buffer.from([flags, reasonCode ?? packet[body + 1]!]), varint(all.length), all])
  return Buffer.concat([Buffer.from([0x20]), varint(rest.length), rest])
}

/** aedes writes those of one byte first; none of the others is looked into. */
function without(properties: Buffer, features: Readonly<Record<number, number>>): Buffer {
  const kept: Buffer[] = []
  let at = 0
  while (at < properties.length) {
    const identifier = properties[at]!
    const size = sizeOf(properties, at)
    if (!oneByte.has(identifier) || features[identifier] === undefined) kept.push(properties.subarray(at, at + size))
    at += size
  }
  return Buffer.concat(kept)
}

/** By the type of a property's value [MQTT5-2.2.2.2]. */
function sizeOf(bytes: Buffer, at: number): number {
  const identifier = bytes[at]!
  if (oneByte.has(identifier)) return 2
  if (identifier === 0x13 || identifier === 0x21 || identifier === 0x22) return 3 // server keep alive, receive maximum, topic alias maximum
  if (identifier === 0x11 || identifier === 0x27) return 5 // session expiry interval, maximum packet size
  if (identifier === 0x12 || identifier === 0x1a || identifier === 0x1c || identifier === 0x1f) return 3 + bytes.readUInt16BE(at + 1)
  return bytes.length - at
}

function readVarint(bytes: Buffer, at: number): { readonly value: number; readonly next: number } | undefined {
  let value = 0
  for (let i = 0; i < 4 && at + i < bytes.length; i++) {
    value += (bytes[at + i]! & 0x7f) * 128 ** i
    if (bytes[at + i]! < 0x80) return { value, next: at + i + 1 }
  }
  return undefined
}
