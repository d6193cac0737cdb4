// A message as a record and back; codec.ts draws the record. All short strings lie end to end in one
// text, so one native call writes them all and one reads them. Properties are rare: they are JSON at
// the end of the text.
import { type Message, type MqttProperties, type Source, type Transport, transports } from '../message/message.ts'
import { field, formatOf, headBytes, receivedAtOf, seal, textAt } from './codec.ts'

/** In the place of a length: there is no such string. */
const absent = 0xffff
const transportIndex = new Map<Transport, number>(transports.map((transport, index) => [transport, index]))

/** Topics that one codec remembers each way. */
const maxKnown = 4_096
/** Longer texts are rare, and not worth the memory. */
const maxKnownText = 1_024

/** An upper bound of the bytes that `encode` writes. Infinity: a string is too long for any record. */
export function recordSizeLimit({ id, topic, payload, source, trace, properties }: Message): number {
  const { clientId, principal, sourceIp, tenant } = source
  // Written out: a list, or a function that adds, would be allocated for every message.
  let units = unitsOf(id) + unitsOf(topic) + unitsOf(clientId) + unitsOf(principal) + unitsOf(sourceIp) + unitsOf(tenant) + unitsOf(trace)
  if (properties) units += JSON.stringify(toPlain(properties)).length
  return headBytes + units * 3 + payload.length
}

function unitsOf(text: string | undefined): number {
  if (text === undefined) return 0
  return text.length < absent ? text.length : Infinity
}

/** What the records of one source and topic have in common, as bytes. */
interface Written {
  readonly source: Source
  readonly idLength: number
  /** A copy with memory of its own: a pooled buffer would keep its neighbours alive. */
  readonly head: Uint8Array
  readonly textAfterId: Uint8Array
}

/** Everything that the text of a record holds, except the id. */
interface Envelope extends Pick<Message, 'topic' | 'source' | 'trace' | 'properties'> {
  readonly cuts: Cuts
}

/** Where the text is cut into strings: the transport, and the fields from `topic` on, four bytes each. */
interface Cuts {
  readonly transport: number
  readonly topicAndClientId: number
  readonly principalAndSourceIp: number
  readonly tenantAndTrace: number
  readonly properties: number
}

/** Encodes and decodes messages. Remembers the texts of recent topics, because devices use the same few again and again. */
export class MessageCodec {
  /** By topic. Cleared when full, as `#read` is. */
  readonly #written = new Map<string, Written>()
  /** By the text without the id. */
  readonly #read = new Map<string, Envelope>()
  readonly #remembers: boolean

  /** `remembers`: false makes every record from its message alone, and every message from its record. */
  constructor(remembers = true) {
    this.#remembers = remembers
  }

  /**
   * Writes the message at `at` of a buffer that begins with the commit batch, and returns the length
   * of the record. The buffer must have room for recordSizeLimit(message).
   */
  encode(buffer: Buffer, at: number, message: Message, salt: number, sequence: number): number {
    const { id, topic, payload, source } = message
    const known = this.#written.get(topic)
    const isUsual = known?.source === source && known.idLength === id.length && message.trace === undefined && !message.properties
    const textBytes = (isUsual ? writeKnown(buffer, at, message, known) : 0) || this.#writeNew(buffer, at, message)
    const length = headBytes + textBytes + payload.length
    buffer.set(payload, at + headBytes + textBytes)
    seal(buffer, at, length, salt, sequence)
    return length
  }

  /** The message of a checked record. It shares no memory with the buffer: a message that is kept must not keep its neighbours. */
  decode(buffer: Buffer, at: number, length: number): Message {
    const textStart = textAt(buffer, at)
    const textEnd = textStart + buffer.readUInt32LE(at + field.text)
    const text = buffer.toString('utf8', textStart, textEnd)
    const idUnits = buffer.readUInt16LE(at + field.id)
    const { topic, source, trace, properties } = this.#envelope(buffer, at, text.slice(idUnits))
    const payload = Buffer.allocUnsafe(at + length - textEnd)
    buffer.copy(payload, 0, textEnd, at + length)
    const format = buffer[at + field.format]!
    const message: Message = {
      id: text.slice(0, idUnits),
      topic,
      payload,
      qos: (format & 1) as 0 | 1,
      retain: (format & 2) !== 0,
      receivedAt: receivedAtOf(buffer, at),
      source,
      hops: buffer.readUInt16LE(at + field.hops),
    }
    return trace === undefined && !properties
      ? message
      : { ...message, ...(trace !== undefined && { trace }), ...(properties && { properties }) }
  }

  /** Returns the bytes of the text. */
  #writeNew(buffer: Buffer, at: number, message: Message): number {
    const { id, topic, source, trace, properties } = message
    const textBytes = writeMessage(buffer, at, message)
    const start = at + headBytes
    if (this.#remembers && trace === undefined && !properties && textBytes <= maxKnownText && Buffer.byteLength(id) === id.length) {
      remember(this.#written, topic, {
        source,
        idLength: id.length,
        head: new Uint8Array(buffer.subarray(at, start)),
        textAfterId: new Uint8Array(buffer.subarray(start + id.length, start + textBytes)),
      })
    }
    return textBytes
  }

  #envelope(buffer: Buffer, at: number, text: string): Envelope {
    const known = this.#read.get(text)
    if (known && hasCuts(buffer, at, known.cuts)) return known
    const envelope = readEnvelope(buffer, at, text)
    if (this.#remembers && envelope.trace === undefined && !envelope.properties) remember(this.#read, text, envelope)
    return envelope
  }
}

function remember<T>(map: Map<string, T>, key: string, value: T): void {
  if (key.length > maxKnownText) return
  if (map.size >= maxKnown) map.clear()
  map.set(key, value)
}

/** Returns the bytes of the text; 0 if the id is not ASCII: nothing counts as written then. */
function writeKnown(buffer: Buffer, at: number, message: Message, { head, textAfterId }: Written): number {
  const { id } = message
  const idAt = at + headBytes
  for (let i = 0; i < id.length; i++) {
    const code = id.charCodeAt(i)
    if (code > 0x7f) return 0
    buffer[idAt + i] = code
  }
  buffer.set(head, at)
  buffer.set(textAfterId, idAt + id.length)
  writeOwn(buffer, at, message)
  return id.length + textAfterId.length
}

/** Writes the fields of the head that differ from message to message. */
function writeOwn(buffer: Buffer, at: number, { qos, retain, receivedAt, hops }: Message): void {
  buffer[at + field.format] = formatOf(qos, retain)
  buffer.writeUInt16LE(Math.min(hops, 0xffff), at + field.hops)
  buffer.writeDoubleLE(receivedAt, at + field.receivedAt)
}

/** Writes the head and the text. Returns the bytes of the text. */
function writeMessage(buffer: Buffer, at: number, message: Message): number {
  const { id, topic, source, trace, properties } = message
  const { clientId, transport, principal, sourceIp, tenant } = source
  const json = properties ? JSON.stringify(toPlain(properties)) : ''
  const text = id + topic + clientId + (principal ?? '') + (sourceIp ?? '') + (tenant ?? '') + (trace ?? '') + json
  const textBytes = buffer.write(text, at + headBytes, 'utf8')
  writeOwn(buffer, at, message)
  buffer[at + field.transport] = transportIndex.get(transport)!
  buffer.writeUInt16LE(id.length, at + field.id)
  buffer.writeUInt16LE(topic.length, at + field.topic)
  buffer.writeUInt16LE(clientId.length, at + field.clientId)
  buffer.writeUInt16LE(principal?.length ?? absent, at + field.principal)
  buffer.writeUInt16LE(sourceIp?.length ?? absent, at + field.sourceIp)
  buffer.writeUInt16LE(tenant?.length ?? absent, at + field.tenant)
  buffer.writeUInt16LE(trace?.length ?? absent, at + field.trace)
  buffer.writeUInt32LE(json.length, at + field.properties)
  buffer.writeUInt32LE(textBytes, at + field.text)
  return textBytes
}

/** The same text may be cut in other places: of another message. */
function hasCuts(buffer: Buffer, at: number, cuts: Cuts): boolean {
  return (
    buffer[at + field.transport] === cuts.transport &&
    buffer.readUInt32LE(at + field.topic) === cuts.topicAndClientId &&
    buffer.readUInt32LE(at + field.principal) === cuts.principalAndSourceIp &&
    buffer.readUInt32LE(at + field.tenant) === cuts.tenantAndTrace &&
    buffer.readUInt32LE(at + field.properties) === cuts.properties
  )
}

function cutsOf(buffer: Buffer, at: number): Cuts {
  return {
    transport: buffer[at + field.transport]!,
    topicAndClientId: buffer.readUInt32LE(at + field.topic),
    principalAndSourceIp: buffer.readUInt32LE(at + field.principal),
    tenantAndTrace: buffer.readUInt32LE(at + field.tenant),
    properties: buffer.readUInt32LE(at + field.properties),
  }
}

function readEnvelope(buffer: Buffer, at: number, text: string): Envelope {
  let used = 0
  const next = (units: number) => {
    used += units
    return text.slice(used - units, used)
  }
  const optional = (where: number) => {
    const units = buffer.readUInt16LE(at + where)
    return units === absent ? undefined : next(units)
  }
  const topic = next(buffer.readUInt16LE(at + field.topic))
  const clientId = next(buffer.readUInt16LE(at + field.clientId))
  const principal = optional(field.principal)
  const sourceIp = optional(field.sourceIp)
  const tenant = optional(field.tenant)
  const trace = optional(field.trace)
  const json = next(buffer.readUInt32LE(at + field.properties))
  const source: Source = {
    clientId,
    transport: transports[buffer[at + field.transport]!]!,
    ...(principal !== undefined && { principal }),
    ...(sourceIp !== undefined && { sourceIp }),
    ...(tenant !== undefined && { tenant }),
  }
  return {
    topic,
    source,
    ...(trace !== undefined && { trace }),
    ...(json && { properties: toProperties(JSON.parse(json)) }),
    cuts: cutsOf(buffer, at),
  }
}

/** Properties as JSON has them: bytes in base64. */
interface PlainProperties extends Omit<MqttProperties, 'correlationData'> {
  readonly correlationData?: string
}

function toPlain({ correlationData, ...rest }: MqttProperties): PlainProperties {
  return correlationData ? { ...rest, correlationData: Buffer.from(correlationData).toString('base64') } : rest
}

function toProperties({ correlationData, ...rest }: PlainProperties): MqttProperties {
  return correlationData === undefined ? rest : { ...rest, correlationData: Buffer.from(correlationData, 'base64') }
}
