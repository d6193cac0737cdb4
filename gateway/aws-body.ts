// SendMessageBatch as the bytes that travel. A body is bytes from the rule to the wire, and mostly JSON, so every eighth character is a quote
// to be escaped: a loop over bytes does that, and no text is made and taken apart again on the way.
import type { MessageAttributeValue, SendMessageBatchCommandInput, SendMessageBatchRequestEntry } from '@aws-sdk/client-sqs'

/** Text in UTF-8, or the pieces of one that is escaped already, as between the quotes of JSON. */
export type Text = Uint8Array | readonly Uint8Array[]

type Ids = Pick<SendMessageBatchRequestEntry, 'MessageGroupId' | 'MessageDeduplicationId'>

/** A message whose body is there in bytes. */
export class BytesEntry implements SendMessageBatchRequestEntry {
  /** Unique in its call. */
  Id = '0'
  readonly MessageAttributes: Record<string, MessageAttributeValue>
  readonly MessageGroupId: string | undefined
  readonly MessageDeduplicationId: string | undefined
  /** Private, like MessageBody no part of the entry's JSON. */
  readonly #text: Text

  constructor(text: Text, attributes: Record<string, MessageAttributeValue>, ids: Ids = {}) {
    this.#text = text
    this.MessageAttributes = attributes
    this.MessageGroupId = ids.MessageGroupId
    this.MessageDeduplicationId = ids.MessageDeduplicationId
  }

  /** For whoever does not write bytes, such as the SDK's own serializer. */
  get MessageBody(): string {
    return JSON.parse(`"${Buffer.concat(this.escaped())}"`)
  }

  escaped(): readonly Uint8Array[] {
    return this.#text instanceof Uint8Array ? [escaped(this.#text)] : this.#text
  }
}

/** The same value as JSON.stringify's, for the SDK's JSON protocol [AWS json-1.0]. The members are text, numbers and booleans only. */
export function toBody({ QueueUrl, Entries = [] }: SendMessageBatchCommandInput): Buffer<ArrayBuffer> {
  const pieces: Uint8Array[] = []
  let text = `{"QueueUrl":${JSON.stringify(QueueUrl)},"Entries":[`
  for (const [i, entry] of Entries.entries()) {
    text += i === 0 ? '' : ','
    if (entry instanceof BytesEntry) {
      pieces.push(Buffer.from(`${text}${JSON.stringify(entry).slice(0, -1)},"MessageBody":"`), ...entry.escaped())
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

export function escaped(text: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(escapedLength(text))
  escapeInto(bytes, text, 0)
  return bytes
}

function escapedLength(text: Uint8Array): number {
  const { length } = text
  let bytes = length
  for (let i = 0; i < length; i++) {
    const code = text[i]!
    if (code === quote || code === backslash) bytes++
    else if (code < space) bytes += letters[code] === 0 ? maxEscapedBytes - 1 : 1
  }
  return bytes
}

/** Writes UTF-8 as between the quotes of JSON, and returns the place behind. */
export function escapeInto(bytes: Buffer, text: Uint8Array, to: number): number {
  const { length } = text
  if (length === 0) return to
  // What is checked here, V8 does not check again for each byte: that these are bytes, and that places are whole numbers.
  let at = to | 0
  bytes[at] = text[0]!
  for (let i = 0; i < length; i++) {
    const code = text[i]!
    if (code < space) at = escapeControl(bytes, code, at)
    else {
      // Two comparisons are quicker than a table.
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
