// Reads MQTT strictly: every length exact, every string well-formed, every property where and as often as the table allows.
import { malformed, type Place, type Property, properties, protocolError } from './spec.ts'

/** The bytes break a clause; `codes` are the reason codes that may answer them. */
export class Illegal extends Error {
  readonly codes: readonly number[]
  readonly clause: string
  constructor(codes: readonly number[], clause: string, what: string) {
    super(`${what} [${clause}]`)
    this.codes = codes
    this.clause = clause
  }
}

/** An identifier with its value as it was sent. */
export type ReadProperty = readonly [id: number, value: Buffer]

const byId = new Map(properties.map((property) => [property.id, property]))
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
/** Control characters and non-characters: a receiver may refuse them [MQTT5-1.5.4]. */
function hasDoubtful(text: string): boolean {
  for (const character of text) {
    const code = character.codePointAt(0)!
    if (code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0xfdd0 && code < 0xfdf0) || (code & 0xfffe) === 0xfffe) return true
  }
  return false
}

export class Reader {
  readonly bytes: Buffer
  at = 0
  /** A string has a character that a receiver may refuse. */
  doubtful = false

  constructor(bytes: Buffer) {
    this.bytes = bytes
  }

  get left(): number {
    return this.bytes.length - this.at
  }

  take(count: number, what: string): Buffer {
    if (count > this.left) throw new Illegal([malformed], 'MQTT5-1.2 malformed packet', `${what} is cut short`)
    this.at += count
    return this.bytes.subarray(this.at - count, this.at)
  }

  byte(what: string): number {
    return this.take(1, what)[0]!
  }

  two(what: string): number {
    return this.take(2, what).readUInt16BE()
  }

  /** `fewest`: in no more bytes than it needs. */
  variable(what: string, fewest = true): number {
    const start = this.at
    for (let value = 0, scale = 1; ; scale *= 128) {
      if (this.at - start === 4) throw new Illegal([malformed], 'MQTT5-1.5.5', `${what} has more than four bytes`)
      const byte = this.byte(what)
      value += (byte & 127) * scale
      if (byte & 128) continue
      if (fewest && byte === 0 && this.at - start > 1) throw new Illegal([malformed], 'MQTT-1.5.5-1', `${what} is not in the fewest bytes`)
      return value
    }
  }

  binary(what: string): Buffer {
    return this.take(this.two(what), what)
  }

  string(what: string): string {
    const bytes = this.binary(what)
    let text: string
    try {
      text = utf8.decode(bytes)
    } catch {
      throw new Illegal([malformed], 'MQTT-1.5.4-1', `${what} is not well-formed UTF-8`)
    }
    if (text.includes('\u0000')) throw new Illegal([malformed], 'MQTT-1.5.4-2', `${what} has U+0000`)
    this.doubtful ||= hasDoubtful(text)
    return text
  }

  /** The properties of a place, each with its bytes as they were sent. */
  properties(place: Place, from: 'client' | 'server'): readonly ReadProperty[] {
    const section = new Reader(this.take(this.variable('property length'), 'properties'))
    const found: ReadProperty[] = []
    while (section.left > 0) {
      const id = section.variable('property identifier')
      const property = byId.get(id)
      if (!property?.places.includes(place)) {
        throw new Illegal([malformed], 'MQTT5-2.2.2.2', `property 0x${id.toString(16)} does not belong to ${place}`)
      }
      const start = section.at
      check(property, place, from, section)
      if (found.some(([other]) => other === id) && !mayRepeat(property, place, from)) {
        throw new Illegal([protocolError], `MQTT5-${property.clause}`, `${property.name} is there twice`)
      }
      found.push([id, section.bytes.subarray(start, section.at)])
    }
    this.doubtful ||= section.doubtful
    return found
  }

  /** A number for the types that are one. */
  value({ type, name }: Property): number | undefined {
    switch (type) {
      case 'byte':
        return this.byte(name)
      case 'two bytes':
        return this.two(name)
      case 'four bytes':
        return this.take(4, name).readUInt32BE()
      case 'variable byte':
        return this.variable(name)
      case 'string':
        this.string(name)
        return undefined
      case 'binary':
        this.binary(name)
        return undefined
      case 'pair':
        this.string(name)
        this.string(name)
        return undefined
    }
  }

  end(what: string): void {
    if (this.left > 0) throw new Illegal([malformed], 'MQTT5-1.2 malformed packet', `${what} has ${this.left} trailing bytes`)
  }
}

/** A server may send one subscription identifier for each subscription that matches [MQTT5-3.3.2.3.8]. */
const mayRepeat = ({ id, repeatable }: Property, place: Place, from: 'client' | 'server') =>
  repeatable === true || (id === 0x0b && place === 'PUBLISH' && from === 'server')

/** Reads the value. */
function check(property: Property, place: Place, from: 'client' | 'server', section: Reader): void {
  const { name, clause, forbidden } = property
  const isForeign = property.serverOnly === place && from === 'client'
  try {
    const value = section.value(property)
    if (value !== undefined && forbidden && isForbidden(property, value)) {
      throw new Illegal(forbidden.codes, `MQTT5-${clause}`, `${name} is ${value}`)
    }
  } catch (error) {
    // A server may look first at what it is, and then at its value.
    if (isForeign && error instanceof Illegal) throw new Illegal([...error.codes, protocolError], error.clause, error.message)
    throw error
  }
  if (isForeign) throw new Illegal([protocolError], `MQTT5-${clause}`, `a client sends ${name} in ${place}`)
}

/** A property of one byte is a flag: all but 0 and 1 is forbidden. */
const isForbidden = ({ type, forbidden }: Property, value: number) => (type === 'byte' ? value > 1 : forbidden!.values.includes(value))

/** Cuts a stream into packets; what is not whole yet stays. Throws Illegal when a remaining length is. */
export function splitPackets(stream: Buffer): { readonly packets: readonly Buffer[]; readonly rest: Buffer } {
  const packets: Buffer[] = []
  let rest = stream
  for (;;) {
    const end = endOfPacket(rest)
    if (end === undefined) return { packets, rest }
    packets.push(rest.subarray(0, end))
    rest = rest.subarray(end)
  }
}

/** The clause of a remaining length that has no end: the packet cannot be found. */
export const noLength = 'MQTT5-2.1.4'

/** Bytes of the first packet; undefined while it is not whole. Throws Illegal when its remaining length has five bytes. */
export function endOfPacket(stream: Buffer): number | undefined {
  const header = stream.subarray(1, 5)
  const last = header.findIndex((byte) => byte < 128)
  if (last === -1 && header.length < 4) return undefined
  if (last === -1) throw new Illegal([malformed], noLength, 'remaining length has more than four bytes')
  const length = header.subarray(0, last + 1).reduceRight((sum, byte) => sum * 128 + (byte & 127), 0)
  const end = 2 + last + length
  return end <= stream.length ? end : undefined
}
