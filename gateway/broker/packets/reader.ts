// Reads the fields of one packet and never past its end. Every method throws IllegalPacket when the bytes do not hold the field.
import { isUtf8 } from 'node:buffer'
import { malformed } from './illegal.ts'

export class PacketReader {
  readonly bytes: Buffer
  at: number
  readonly end: number

  constructor(bytes: Buffer, at: number, end: number) {
    this.bytes = bytes
    this.at = at
    this.end = end
  }

  get left(): number {
    return this.end - this.at
  }

  byte(what: string): number {
    return this.bytes[this.#take(1, what)]!
  }

  uint16(what: string): number {
    return this.bytes.readUInt16BE(this.#take(2, what))
  }

  uint32(what: string): number {
    return this.bytes.readUInt32BE(this.#take(4, what))
  }

  /** A variable byte integer of at most four bytes, written in as few as possible [MQTT5-1.5.5]. */
  varint(what: string): number {
    let value = 0
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.byte(what)
      value += (byte & 0x7f) << shift
      if (byte >= 0x80) continue
      if (byte === 0 && shift > 0) throw malformed(`${what} is not written in the fewest bytes [MQTT-1.5.5-1]`)
      return value
    }
    throw malformed(`${what} has more than four bytes [MQTT5-1.5.5]`)
  }

  /** Two bytes of length, then as many bytes. The result shares memory with the packet. */
  binary(what: string): Buffer {
    const length = this.uint16(what)
    const start = this.#take(length, what)
    return this.bytes.subarray(start, start + length)
  }

  /** A UTF-8 string without U+0000 and without surrogates [MQTT-1.5.4-1] [MQTT-1.5.4-2]. */
  text(what: string): string {
    const length = this.uint16(what)
    const start = this.#take(length, what)
    return textIn(this.bytes, start, start + length, what)
  }

  rest(): Buffer {
    return this.bytes.subarray(this.#take(this.left, 'the payload'), this.end)
  }

  /** A reader for the next `length` bytes, which this one skips. */
  part(length: number, what: string): PacketReader {
    const start = this.#take(length, what)
    return new PacketReader(this.bytes, start, start + length)
  }

  expectEnd(): void {
    if (this.at !== this.end) throw malformed(`${this.left} bytes follow the last field`)
  }

  #take(length: number, what: string): number {
    const start = this.at
    if (length > this.end - start) throw malformed(`${what} is cut short`)
    this.at = start + length
    return start
  }
}

function textIn(bytes: Buffer, start: number, end: number, what: string): string {
  let ascii = true
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!
    if (byte === 0) throw malformed(`${what} contains U+0000 [MQTT-1.5.4-2]`)
    if (byte > 0x7f) ascii = false
  }
  if (ascii) return bytes.toString('latin1', start, end)
  if (!isUtf8(bytes.subarray(start, end))) throw malformed(`${what} is not UTF-8 [MQTT-1.5.4-1]`)
  return bytes.toString('utf8', start, end)
}
