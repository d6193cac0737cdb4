// Many readings in one queue message: written by the gateway's sqs action, read by whoever takes them from the queue.

/*
   [["01JZ….telemetry.0",21],["01JZ….telemetry.0",19]]\n     one line of JSON: key and length in bytes of each reading
   {"temperature":-18.5}\n                                   the readings in the same order, each ended by a line feed
   {"temperature":4.25}\n

   Bodies are neither parsed nor escaped on either side. The message attribute `pack` marks such a message and says how many are in it.
*/

/** Name of the message attribute that marks a packed message; its value is the number of readings. */
export const packAttribute = 'pack'

export interface PackedReading {
  /** Idempotency key: equal for two copies of one reading, in whatever pack they travel. Letters, digits, `_`, `-` and `.`: nothing to escape. */
  readonly key: string
  readonly body: Uint8Array
}

export function pack(readings: readonly PackedReading[]): Buffer {
  const index = packIndex(readings.map(({ key, body }) => ({ key, bytes: body.length })))
  return Buffer.concat([Buffer.from(index), ...readings.flatMap(({ body }) => [body, packLineEnd])])
}

/** The first line; with other quotes and another end, as it is inside a JSON string. */
export function packIndex(readings: readonly { readonly key: string; readonly bytes: number }[], quote = '"', lineEnd = '\n'): string {
  const before = `,[${quote}`
  let text = ''
  let length = -1
  let behind = ''
  for (const { key, bytes } of readings) {
    if (bytes !== length) behind = `${quote},${bytes}]` // often the same as the one before
    length = bytes
    text += before + key + behind
  }
  return `[${text.slice(1)}]${lineEnd}`
}

/** Behind each reading. */
export const packLineEnd = Buffer.from('\n')

/** What a reading adds to a pack, in bytes: its body, its key in the index and what is around them. */
export function packedSize(key: string, bodyBytes: number): number {
  return bodyBytes + key.length + 14
}

/** The readings of a pack, as views of its bytes. Throws an Error when the body is not a pack. */
export function unpack(body: Uint8Array): readonly PackedReading[] {
  let at = body.indexOf(0x0a) + 1
  const readings = index(body.subarray(0, Math.max(at - 1, 0))).map(([key, length]) => {
    const reading = { key, body: body.subarray(at, at + length) }
    at += length + 1
    return reading
  })
  if (at !== body.length) throw new Error(`a pack of ${readings.length} readings should have ${at} bytes, and has ${body.length}`)
  return readings
}

function index(line: Uint8Array): readonly (readonly [key: string, length: number])[] {
  let entries: unknown
  try {
    entries = JSON.parse(new TextDecoder().decode(line))
  } catch {
    // Told below, with whatever else it may be.
  }
  if (Array.isArray(entries) && entries.every(isEntry)) return entries
  throw new Error('a pack starts with a line of JSON that lists key and length of each reading')
}

function isEntry(entry: unknown): boolean {
  return Array.isArray(entry) && typeof entry[0] === 'string' && Number.isSafeInteger(entry[1]) && entry[1] >= 0
}
