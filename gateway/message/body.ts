// The body that a rule makes of a message, in chunks of bytes.

/** Bytes in chunks that follow one another, so that they are copied as late as possible. */
export interface Chunks {
  readonly head: Uint8Array
  /** How many bytes of `head` are used. */
  readonly headBytes: number
  readonly tail: readonly Uint8Array[]
}

/** JSON text, in the UTF-8 bytes that travel. */
export class JsonText implements Chunks {
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

/** What a rule makes of a message: JSON, or the raw payload if its statement passes the payload through. */
export type Body = JsonText | Uint8Array

/** The bytes in one buffer, copied only if there are several chunks. */
export function bytesOf(body: Body | Chunks): Buffer {
  if (!(body instanceof Uint8Array)) return joined(body)
  return Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength)
}

export function chunksOf(bytes: Uint8Array): Chunks {
  return { head: bytes, headBytes: bytes.length, tail: [] }
}

/** In bytes. */
export function lengthOf({ headBytes, tail }: Chunks): number {
  let length = headBytes
  for (const part of tail) length += part.length
  return length
}

function joined(chunks: Chunks): Buffer {
  const { head, headBytes, tail } = chunks
  if (tail.length === 0 && headBytes === head.length) return bytesOf(head)
  const bytes = Buffer.allocUnsafe(lengthOf(chunks))
  bytes.set(headBytes === head.length ? head : head.subarray(0, headBytes))
  let at = headBytes
  for (const part of tail) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}
