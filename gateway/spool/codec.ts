// The bytes of a record: a fixed head, the strings of a message as one text, and a body.
//
//    0  length u32      of everything after the checksum
//    4  checksum u32    CRC-32 (IEEE) of everything after it, begun with salt ^ length
//    8  format u8       high half: version; bit 0: QoS 1; bit 1: retain
//    9  transport u8    index into `transports`
//   10  hops u16
//   12  receivedAt f64
//   20  7 × u16         lengths of id, topic, clientId, principal, sourceIp, tenant, trace
//   34  properties u32  length of the properties as JSON, 0: none
//   38  text u32        bytes of the text
//   42  batch u32       bytes between the start of the commit batch and this record
//   46  sequence f64    one more than in the record before; not in version 1
//   54  text … body …
//
// Numbers are little-endian. Lengths of strings are in UTF-16 units; 0xffff marks a missing string.
// message-codec.ts fills a record with a message. The session journal uses the body alone.
//
// To change the format, add a version: `length`, `checksum` and `format` stay where they are, and
// `decoders` gets a row. A new transport needs a new version too.
import { crc32 } from 'node:zlib'
import { transports } from '../message/message.ts'

/** Where each field begins, in bytes from the start of the record. */
export const field = {
  length: 0,
  checksum: 4,
  format: 8,
  transport: 9,
  hops: 10,
  receivedAt: 12,
  id: 20,
  topic: 22,
  clientId: 24,
  principal: 26,
  sourceIp: 28,
  tenant: 30,
  trace: 32,
  properties: 34,
  text: 38,
  batch: 42,
  sequence: 46,
} as const

/** What the versions of the format do differently. */
interface Decoder {
  readonly headBytes: number
  sequence(buffer: Buffer, at: number): number | undefined
}

const decoders: Readonly<Record<number, Decoder>> = {
  /** Written by Weir 0.1. */
  1: { headBytes: 46, sequence: () => undefined },
  2: { headBytes: 54, sequence: (buffer, at) => buffer.readDoubleLE(at + field.sequence) },
}
const newestVersion = 2

/** Bytes of the head that this version of Weir writes. */
export const headBytes = 54
const frameBytes = 8
/** Bytes of the smallest record of any version. */
const minRecordBytes = 46

/** The largest record. Listeners refuse far smaller messages; this bounds what a damaged length can ask for. */
export const maxRecordBytes = 64 * 1024 * 1024

/** The directory was written by a newer version of Weir. Its files are whole: do not set them aside. */
export class NewerFormatError extends Error {
  constructor(what: string, found: number, newest: number) {
    super(`it holds ${what} of format ${found}, and this version reads up to ${newest}; start the version that wrote it, or a newer one`)
  }
}

const versionOf = (format: number) => format >> 4

/** Whether a byte at `field.format` is of a version that can be read. Zeros are not. */
export const isReadable = (format: number): boolean => decoders[versionOf(format)] !== undefined

/** The byte at `field.format` of a record that is written now. */
export const formatOf = (qos: number, retain: boolean): number => (newestVersion << 4) | qos | (retain ? 2 : 0)

/**
 * Completes a record whose head, text and body are written: length, place in the batch, sequence,
 * checksum. `buffer` begins with the batch.
 */
export function seal(buffer: Buffer, at: number, length: number, salt: number, sequence: number): void {
  buffer.writeUInt32LE(length - frameBytes, at)
  buffer.writeUInt32LE(at, at + field.batch)
  renumberRecord(buffer, at, length, salt, sequence)
}

/** Gives the record at `at` another sequence. */
export function renumberRecord(buffer: Buffer, at: number, length: number, salt: number, sequence: number): void {
  buffer.writeDoubleLE(sequence, at + field.sequence)
  buffer.writeUInt32LE(checksum(buffer, at, length, salt), at + field.checksum)
}

/** Bytes that encodeBody writes. */
export const bodyRecordBytes = (body: Uint8Array): number => headBytes + body.length

/** Writes a record that has a body and no message, and returns its length. */
export function encodeBody(buffer: Buffer, at: number, body: Uint8Array, salt: number, sequence: number): number {
  const length = bodyRecordBytes(body)
  buffer.fill(0, at, at + headBytes)
  buffer[at + field.format] = formatOf(0, false)
  buffer.set(body, at + headBytes)
  seal(buffer, at, length, salt, sequence)
  return length
}

/**
 * The length of the whole, undamaged record at `at`; `'short'` if the buffer ends before the record
 * does; `'bad'` if there is no record. Throws NewerFormatError.
 */
export function checkRecord(buffer: Buffer, at: number, salt: number): number | 'short' | 'bad' {
  const length = claimedLength(buffer, at)
  if (typeof length !== 'number') return length
  if (at + length > buffer.length) return 'short'
  if (buffer.readUInt32LE(at + field.checksum) !== checksum(buffer, at, length, salt)) return 'bad'
  const version = versionOf(buffer[at + field.format]!)
  if (version > newestVersion) throw new NewerFormatError('records', version, newestVersion)
  return length
}

/** The length that the record at `at` claims, if its head makes sense. Most damage shows here, before any checksum. */
export function claimedLength(buffer: Buffer, at: number): number | 'short' | 'bad' {
  if (at + 4 > buffer.length) return 'short'
  const length = buffer.readUInt32LE(at) + frameBytes
  if (length < minRecordBytes || length > maxRecordBytes) return 'bad'
  if (at + minRecordBytes > buffer.length) return 'short'
  // The head of a newer version is unknown: only its checksum proves it.
  if (versionOf(buffer[at + field.format]!) > newestVersion) return length
  const isSane =
    isReadable(buffer[at + field.format]!) && buffer[at + field.transport]! < transports.length && bodyAt(buffer, at) <= at + length
  return isSane ? length : 'bad'
}

const decoderOf = (buffer: Buffer, at: number): Decoder => decoders[versionOf(buffer[at + field.format]!)]!

/** Where the text of a checked record begins. */
export const textAt = (buffer: Buffer, at: number): number => at + decoderOf(buffer, at).headBytes

/** Where the body of a checked record begins. */
const bodyAt = (buffer: Buffer, at: number): number => textAt(buffer, at) + buffer.readUInt32LE(at + field.text)

/** The body of a checked record. It shares the memory of the buffer. */
export const bodyOf = (buffer: Buffer, at: number, length: number): Buffer => buffer.subarray(bodyAt(buffer, at), at + length)

/** The sequence of a checked record; undefined in version 1. */
export const sequenceOf = (buffer: Buffer, at: number): number | undefined => decoderOf(buffer, at).sequence(buffer, at)

export const receivedAtOf = (buffer: Buffer, at: number): number => buffer.readDoubleLE(at + field.receivedAt)

/** Where in the file the commit batch of a checked record begins; `offset` is that of the record. */
export const batchStartOf = (buffer: Buffer, at: number, offset: number): number => offset - buffer.readUInt32LE(at + field.batch)

/**
 * The salt keeps bytes that a device chose from passing as a record when a damaged file is searched.
 * CRC-32 IEEE and not CRC-32C: node:zlib computes it natively, 0.25 µs for 250 bytes; a table in
 * JavaScript takes 0.5 µs.
 */
function checksum(buffer: Buffer, at: number, length: number, salt: number): number {
  return crc32(buffer.subarray(at + frameBytes, at + length), (salt ^ length) >>> 0)
}
