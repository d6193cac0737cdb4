// One message as bytes and back: a fixed head, all its short strings in one piece of text, then the payload.
import { crc32 } from 'node:zlib'
import { type Message, type MqttProperties, type Source, type Transport, transports } from '../message/message.ts'

// Little-endian. The strings lie end to end in one text, so that one native call writes and one reads them all; their lengths are in
// UTF-16 units, 0xffff for a string that is not there. Properties are rare and travel as JSON at the end of the text.
//
//    0  length u32      of everything after the checksum
//    4  checksum u32    CRC-32 (IEEE) of everything after it, begun with salt ^ length
//    8  format u8       high half: version 2; bit 0: QoS 1; bit 1: retain
//    9  transport u8    index into `transports`
//   10  hops u16
//   12  receivedAt f64
//   20  7 × u16         lengths of id, topic, clientId, principal, sourceIp, tenant, trace
//   34  properties u32  length of the JSON, 0: none
//   38  text u32        bytes of the text
//   42  group u32       bytes between the start of the write it was part of and this record
//   46  sequence f64    one more than the record before; not in version 1, where the text begins here
//   54  text … payload …
//
// Version 1 was written by Weir 0.1 and is still read.
// Why IEEE and not CRC-32C: node:zlib computes it natively, 0.25 µs for a record of 250 bytes; a table in JavaScript takes 0.5 µs.
const headBytes = 54
const frameBytes = 8
const version = 2
/** Of version 1. */
const oldHeadBytes = 46
const absent = 0xffff

/** What a file may hold in one record. The doors refuse far smaller messages; this bounds what a damaged length can ask for. */
export const maxRecordBytes = 64 * 1024 * 1024

const transportIndex = new Map<Transport, number>(transports.map((transport, index) => [transport, index]))

/** An upper bound of what encodeRecord writes for it. Infinity: it has a string that no record can hold. */
export function recordSizeLimit({ id, topic, payload, source, trace, properties }: Message): number {
  const { clientId, principal, sourceIp, tenant } = source
  // By hand: a list of them, or a function that adds, would be made for every message.
  let units = unitsOf(id) + unitsOf(topic) + unitsOf(clientId) + unitsOf(principal) + unitsOf(sourceIp) + unitsOf(tenant) + unitsOf(trace)
  if (properties) units += JSON.stringify(toPlain(properties)).length
  return headBytes + units * 3 + payload.length
}

function unitsOf(text: string | undefined): number {
  if (text === undefined) return 0
  return text.length < absent ? text.length : Infinity
}

/** Writes the message at `at` of a buffer that holds one group, and returns its length. There must be room for recordSizeLimit(message). */
export function encodeRecord(buffer: Buffer, at: number, message: Message, salt: number, sequence: number): number {
  const { id, topic, payload, source } = message
  const known = written.get(topic)
  const usual = known?.source === source && known.idLength === id.length && message.trace === undefined && !message.properties
  const textBytes = (usual ? writeKnown(buffer, at, message, known) : 0) || writeHead(buffer, at, message)
  const length = headBytes + textBytes + payload.length
  buffer.set(payload, at + headBytes + textBytes)
  buffer.writeUInt32LE(length - frameBytes, at)
  buffer.writeUInt32LE(at, at + 42)
  buffer.writeDoubleLE(sequence, at + 46)
  buffer.writeUInt32LE(checksum(buffer, at, length, salt), at + 4)
  return length
}

/** Gives the record at `at` another sequence. */
export function renumberRecord(buffer: Buffer, at: number, length: number, salt: number, sequence: number): void {
  buffer.writeDoubleLE(sequence, at + 46)
  buffer.writeUInt32LE(checksum(buffer, at, length, salt), at + 4)
}

/** What the records of one source and topic have in common, as bytes; the head without what is said of each message. */
interface Written {
  readonly source: Source
  readonly idLength: number
  /** With memory of their own: a pooled one would keep its neighbours. */
  readonly head: Uint8Array
  readonly textBehindId: Uint8Array
}

/** What was written last for a topic, or read: devices speak on the same few again and again. Emptied when full. */
const written = new Map<string, Written>()
const read = new Map<string, Envelope>()
const maxKnown = 4_096
/** Longer texts are rare, and not worth the memory. */
const maxKnownText = 1_024

function remember<T>(map: Map<string, T>, key: string, value: T): void {
  if (key.length > maxKnownText) return
  if (map.size >= maxKnown) map.clear()
  map.set(key, value)
}

/** Returns the bytes of the text; 0 where the id is not ASCII, and nothing counts as written. */
function writeKnown(buffer: Buffer, at: number, { id, qos, retain, receivedAt, hops }: Message, { head, textBehindId }: Written): number {
  const idAt = at + headBytes
  for (let i = 0; i < id.length; i++) {
    const code = id.charCodeAt(i)
    if (code > 0x7f) return 0
    buffer[idAt + i] = code
  }
  buffer.set(head, at)
  buffer.set(textBehindId, idAt + id.length)
  buffer[at + 8] = formatOf(qos, retain)
  buffer.writeUInt16LE(Math.min(hops, 0xffff), at + 10)
  buffer.writeDoubleLE(receivedAt, at + 12)
  return id.length + textBehindId.length
}

const formatOf = (qos: number, retain: boolean) => (version << 4) | qos | (retain ? 2 : 0)

/** Returns the bytes of the text. */
function writeHead(buffer: Buffer, at: number, message: Message): number {
  const { id, topic, qos, retain, receivedAt, source, hops, trace, properties } = message
  const { clientId, transport, principal, sourceIp, tenant } = source
  const json = properties ? JSON.stringify(toPlain(properties)) : ''
  const text = id + topic + clientId + (principal ?? '') + (sourceIp ?? '') + (tenant ?? '') + (trace ?? '') + json
  const textBytes = buffer.write(text, at + headBytes, 'utf8')
  buffer[at + 8] = formatOf(qos, retain)
  buffer[at + 9] = transportIndex.get(transport)!
  buffer.writeUInt16LE(Math.min(hops, 0xffff), at + 10)
  buffer.writeDoubleLE(receivedAt, at + 12)
  buffer.writeUInt16LE(id.length, at + 20)
  buffer.writeUInt16LE(topic.length, at + 22)
  buffer.writeUInt16LE(clientId.length, at + 24)
  buffer.writeUInt16LE(principal?.length ?? absent, at + 26)
  buffer.writeUInt16LE(sourceIp?.length ?? absent, at + 28)
  buffer.writeUInt16LE(tenant?.length ?? absent, at + 30)
  buffer.writeUInt16LE(trace?.length ?? absent, at + 32)
  buffer.writeUInt32LE(json.length, at + 34)
  buffer.writeUInt32LE(textBytes, at + 38)
  const start = at + headBytes
  if (trace === undefined && !properties && textBytes <= maxKnownText && Buffer.byteLength(id) === id.length) {
    remember(written, topic, {
      source,
      idLength: id.length,
      head: new Uint8Array(buffer.subarray(at, start)),
      textBehindId: new Uint8Array(buffer.subarray(start + id.length, start + textBytes)),
    })
  }
  return textBytes
}

/**
 * The length of the whole, undamaged record at `at`; `'short'` when the buffer ends before the record does; `'bad'` when it is none.
 */
export function checkRecord(buffer: Buffer, at: number, salt: number): number | 'short' | 'bad' {
  const length = claimedLength(buffer, at)
  if (typeof length !== 'number') return length
  if (at + length > buffer.length) return 'short'
  return buffer.readUInt32LE(at + 4) === checksum(buffer, at, length, salt) ? length : 'bad'
}

/** How long the record at `at` says it is, if its head makes sense: most damage shows here, before anything is summed. */
export function claimedLength(buffer: Buffer, at: number): number | 'short' | 'bad' {
  if (at + 4 > buffer.length) return 'short'
  const length = buffer.readUInt32LE(at) + frameBytes
  if (length < oldHeadBytes || length > maxRecordBytes) return 'bad'
  if (at + oldHeadBytes > buffer.length) return 'short'
  const written = buffer[at + 8]! >> 4
  if (written !== version && written !== 1) return 'bad'
  const sane = buffer[at + 9]! < transports.length && headBytesOf(buffer, at) + buffer.readUInt32LE(at + 38) <= length
  return sane ? length : 'bad'
}

const headBytesOf = (buffer: Buffer, at: number) => (buffer[at + 8]! >> 4 === 1 ? oldHeadBytes : headBytes)

/** Of a checked record; undefined in version 1. */
export function sequenceOf(buffer: Buffer, at: number): number | undefined {
  return headBytesOf(buffer, at) === headBytes ? buffer.readDoubleLE(at + 46) : undefined
}

export function receivedAtOf(buffer: Buffer, at: number): number {
  return buffer.readDoubleLE(at + 12)
}

/** Where in the file the write began that a checked record was part of. */
export function groupStartOf(buffer: Buffer, at: number, offset: number): number {
  return offset - buffer.readUInt32LE(at + 42)
}

/** The message of a checked record. It shares no memory with the buffer: one message kept must not keep its neighbours. */
export function decodeRecord(buffer: Buffer, at: number, length: number): Message {
  const textStart = at + headBytesOf(buffer, at)
  const textEnd = textStart + buffer.readUInt32LE(at + 38)
  const text = buffer.toString('utf8', textStart, textEnd)
  const idUnits = buffer.readUInt16LE(at + 20)
  const { topic, source, trace, properties } = envelopeOf(buffer, at, text.slice(idUnits))
  const payload = Buffer.allocUnsafe(at + length - textEnd)
  buffer.copy(payload, 0, textEnd, at + length)
  const format = buffer[at + 8]!
  const message: Message = {
    id: text.slice(0, idUnits),
    topic,
    payload,
    qos: (format & 1) as 0 | 1,
    retain: (format & 2) !== 0,
    receivedAt: receivedAtOf(buffer, at),
    source,
    hops: buffer.readUInt16LE(at + 10),
  }
  return trace === undefined && !properties
    ? message
    : { ...message, ...(trace !== undefined && { trace }), ...(properties && { properties }) }
}

/** All of a message that its text tells, but for the id. */
interface Envelope extends Pick<Message, 'topic' | 'source' | 'trace' | 'properties'> {
  /** Of the head, what says where the parts of the text begin: the same text may be cut in other places. */
  readonly cuts: Cuts
}

/** Its transport, and the fields of the head from 22 on, four bytes each. */
interface Cuts {
  readonly transport: number
  readonly from22: number
  readonly from26: number
  readonly from30: number
  readonly from34: number
}

function envelopeOf(buffer: Buffer, at: number, text: string): Envelope {
  const known = read.get(text)
  if (known && hasCuts(buffer, at, known.cuts)) return known
  const envelope = readEnvelope(buffer, at, text)
  if (envelope.trace === undefined && !envelope.properties) remember(read, text, envelope)
  return envelope
}

function hasCuts(buffer: Buffer, at: number, cuts: Cuts): boolean {
  return (
    buffer[at + 9] === cuts.transport &&
    buffer.readUInt32LE(at + 22) === cuts.from22 &&
    buffer.readUInt32LE(at + 26) === cuts.from26 &&
    buffer.readUInt32LE(at + 30) === cuts.from30 &&
    buffer.readUInt32LE(at + 34) === cuts.from34
  )
}

function cutsOf(buffer: Buffer, at: number): Cuts {
  return {
    transport: buffer[at + 9]!,
    from22: buffer.readUInt32LE(at + 22),
    from26: buffer.readUInt32LE(at + 26),
    from30: buffer.readUInt32LE(at + 30),
    from34: buffer.readUInt32LE(at + 34),
  }
}

function readEnvelope(buffer: Buffer, at: number, text: string): Envelope {
  let used = 0
  const next = (units: number) => {
    used += units
    return text.slice(used - units, used)
  }
  const optional = (field: number) => {
    const units = buffer.readUInt16LE(at + field)
    return units === absent ? undefined : next(units)
  }
  const topic = next(buffer.readUInt16LE(at + 22))
  const clientId = next(buffer.readUInt16LE(at + 24))
  const principal = optional(26)
  const sourceIp = optional(28)
  const tenant = optional(30)
  const trace = optional(32)
  const json = next(buffer.readUInt32LE(at + 34))
  const source: Source = {
    clientId,
    transport: transports[buffer[at + 9]!]!,
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

/** The salt makes bytes that a device chose unable to pose as a record when a damaged file is searched for the next one. */
function checksum(buffer: Buffer, at: number, length: number, salt: number): number {
  return crc32(buffer.subarray(at + frameBytes, at + length), (salt ^ length) >>> 0)
}

interface PlainProperties extends Omit<MqttProperties, 'correlationData'> {
  readonly correlationData?: string
}

function toPlain({ correlationData, ...rest }: MqttProperties): PlainProperties {
  return correlationData ? { ...rest, correlationData: Buffer.from(correlationData).toString('base64') } : rest
}

function toProperties({ correlationData, ...rest }: PlainProperties): MqttProperties {
  return correlationData === undefined ? rest : { ...rest, correlationData: Buffer.from(correlationData, 'base64') }
}
