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

/** JSON text, in the UTF-8 bytes that travel. */
export class JsonText {
  readonly bytes: Buffer
  /** No byte of it is above 0x7f. */
  readonly isAscii: boolean

  constructor(bytes: Buffer, isAscii: boolean) {
    this.bytes = bytes
    this.isAscii = isAscii
  }

  static of(text: string): JsonText {
    const bytes = Buffer.from(text)
    return new JsonText(bytes, bytes.length === text.length)
  }
}

/** What a rule makes of a message: JSON, or the raw payload where its statement passes it through. */
export type Body = JsonText | Uint8Array

/** Without copying them. */
export function bytesOf(body: Body): Buffer {
  if (body instanceof JsonText) return body.bytes
  return Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength)
}

const base32 = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const pairs = [...base32].flatMap((first) => [...base32].map((second) => first + second))

/** A source of ULIDs that sort in the order they were made, also within one millisecond. Whoever has just asked for the time may say it. */
export function createIds(now: () => number, random: () => number): (at?: number) => string {
  let time = -1
  let prefix = ''
  let high = 0
  let low = 0
  let upper = -1
  let stem = ''
  return (at = now()) => {
    const fresh = at > time
    if (fresh) {
      time = at
      high = Math.floor(random() * 2 ** 40)
      low = Math.floor(random() * 2 ** 39)
      prefix = encode(at, 10) + encode(high, 8)
    } else {
      low++
    }
    const million = Math.floor(low / 2 ** 20)
    if (million !== upper || fresh) {
      upper = million
      stem = prefix + encode(million, 4)
    }
    return stem + pairs[(low >> 10) & 1023]! + pairs[low & 1023]!
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
