// What travels: one publish, and where it came from. Every room speaks these words; nothing here imports anything.

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

/** Bytes in parts that follow one another, so that nothing is copied before it must be. */
export interface Parts {
  readonly head: Uint8Array
  /** As many of the head's bytes belong to it. */
  readonly headBytes: number
  readonly tail: readonly Uint8Array[]
}

/** JSON text, in the UTF-8 bytes that travel. */
export class JsonText implements Parts {
  readonly head: Uint8Array
  readonly headBytes: number
  readonly tail: readonly Uint8Array[]
  /** No byte of it is above 0x7f. */
  readonly isAscii: boolean

  constructor(head: Uint8Array, headBytes: number, tail: readonly Uint8Array[], isAscii: boolean) {
    this.head = head
    this.headBytes = headBytes
    this.tail = tail
    this.isAscii = isAscii
  }

  static of(text: string): JsonText {
    const bytes = Buffer.from(text)
    return new JsonText(bytes, bytes.length, [], bytes.length === text.length)
  }
}

/** What a rule makes of a message: JSON, or the raw payload where its statement passes it through. */
export type Body = JsonText | Uint8Array

/** In one piece, copied only where it is in several. */
export function bytesOf(body: Body | Parts): Buffer {
  if (!(body instanceof Uint8Array)) return joined(body)
  return Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength)
}

export function partsOf(bytes: Uint8Array): Parts {
  return { head: bytes, headBytes: bytes.length, tail: [] }
}

/** In bytes. */
export function lengthOf({ headBytes, tail }: Parts): number {
  let length = headBytes
  for (const part of tail) length += part.length
  return length
}

function joined(parts: Parts): Buffer {
  const { head, headBytes, tail } = parts
  if (tail.length === 0 && headBytes === head.length) return bytesOf(head)
  const bytes = Buffer.allocUnsafe(lengthOf(parts))
  bytes.set(headBytes === head.length ? head : head.subarray(0, headBytes))
  let at = headBytes
  for (const part of tail) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

const base32 = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const pairs = [...base32].flatMap((first) => [...base32].map((second) => first + second))

/** A source of ULIDs that sort in the order they were made, also within one millisecond. Whoever has just asked for the time may say it. */
export function createIds(now: () => number, random: () => number): (at?: number) => string {
  let time = -1
  let prefix = ''
  let low = 0
  /** All but the last two digits: the same for up to 1,024 ids of a millisecond. */
  let stem = ''
  let upper = -1
  return (at = now()) => {
    const fresh = at > time
    if (fresh) {
      time = at
      prefix = encode(at, 10) + encode(Math.floor(random() * 2 ** 40), 8)
      low = Math.floor(random() * 2 ** 39)
    } else {
      low++
    }
    const thousand = Math.floor(low / 1_024)
    if (thousand !== upper || fresh) {
      upper = thousand
      stem = prefix + encode(thousand, 6)
    }
    return stem + pairs[low % 1_024]!
  }
}

function encode(value: number, length: number): string {
  let text = ''
  for (let i = 0; i < length; i++) {
    text = base32[value % 32] + text
    value = Math.floor(value / 32)
  }
  return text
}
