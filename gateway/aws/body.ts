// SendMessageBatch as the bytes that travel. A pack is mostly JSON inside JSON, so every eighth character is a quote to be escaped: a loop over
// bytes does that while the pack fills, and what it makes is neither made into text nor into bytes again.
import type { MessageAttributeValue, SendMessageBatchCommandInput, SendMessageBatchRequestEntry } from '@aws-sdk/client-sqs'

/** A message whose body is there as it travels: UTF-8, escaped as between the quotes of JSON, in pieces that follow one another. */
export class BytesEntry implements SendMessageBatchRequestEntry {
  /** Unique in its call. */
  Id = '0'
  readonly MessageAttributes: Record<string, MessageAttributeValue>
  readonly MessageGroupId: string | undefined
  /** Private, like MessageBody no part of the entry's JSON. */
  readonly #pieces: readonly Uint8Array[]

  constructor(pieces: readonly Uint8Array[], attributes: Record<string, MessageAttributeValue>, group: string | undefined) {
    this.#pieces = pieces
    this.MessageAttributes = attributes
    this.MessageGroupId = group
  }

  /** For whoever does not write bytes, such as the SDK's own serializer. */
  get MessageBody(): string {
    return JSON.parse(`"${Buffer.concat(this.#pieces)}"`)
  }

  get pieces(): readonly Uint8Array[] {
    return this.#pieces
  }
}

/** The same value as JSON.stringify's, for the SDK's JSON protocol [AWS json-1.0]. The members are text, numbers and booleans only. */
export function toBody(input: SendMessageBatchCommandInput): Buffer<ArrayBuffer> {
  const { QueueUrl, Entries = [] } = input
  if (!Entries.some((entry) => entry instanceof BytesEntry)) return Buffer.from(JSON.stringify(input))
  const pieces: Uint8Array[] = []
  let text = `{"QueueUrl":${JSON.stringify(QueueUrl)},"Entries":[`
  for (const [i, entry] of Entries.entries()) {
    text += i === 0 ? '' : ','
    if (entry instanceof BytesEntry) {
      pieces.push(Buffer.from(`${text}${JSON.stringify(entry).slice(0, -1)},"MessageBody":"`), ...entry.pieces)
      text = '"}'
    } else text += JSON.stringify(entry)
  }
  pieces.push(Buffer.from(`${text}]}`))
  return Buffer.concat(pieces)
}

const quote = 0x22
const backslash = 0x5c
const space = 0x20

/** What stands behind the backslash; 0 for control characters without a short form, which take four digits. */
const letters = Uint8Array.from({ length: space }, (_, code) => {
  const [, , letter = '', ...others] = JSON.stringify(String.fromCharCode(code))
  return others.length === 1 ? letter.charCodeAt(0) : 0
})

/** No character takes more than this. */
export const maxEscapedBytes = 6

/** Writes so many bytes of UTF-8 as between the quotes of JSON, and returns the place behind. */
export function escapeInto(bytes: Buffer, text: Uint8Array, length: number, to: number): number {
  const end = escapePrintable(bytes, text, length, to)
  return end === -1 ? escapeAny(bytes, text, length, to) : end
}

/** -1: there is a control character in it. */
function escapePrintable(bytes: Buffer, text: Uint8Array, length: number, to: number): number {
  if (length === 0) return to
  // What is checked here, V8 does not check again for each byte, as long as nothing is called: that these are bytes, and places whole numbers.
  let at = to | 0
  bytes[at] = text[0]!
  for (let i = 0; i < length; i++) {
    const code = text[i]!
    if (code < space) return -1
    // Two comparisons are quicker than a table.
    if (code === backslash || code === quote) bytes[at++] = backslash
    bytes[at++] = code
  }
  return at
}

function escapeAny(bytes: Buffer, text: Uint8Array, length: number, to: number): number {
  let at = to
  for (let i = 0; i < length; i++) {
    const code = text[i]!
    if (code < space) at = escapeControl(bytes, code, at)
    else {
      if (code === backslash || code === quote) bytes[at++] = backslash
      bytes[at++] = code
    }
  }
  return at
}

function escapeControl(bytes: Buffer, code: number, at: number): number {
  const letter = letters[code]!
  if (letter === 0) return at + bytes.write(`\\u${code.toString(16).padStart(4, '0')}`, at, 'latin1')
  bytes[at] = backslash
  bytes[at + 1] = letter
  return at + 2
}
