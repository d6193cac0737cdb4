// SendMessageBatch as the bytes that travel. A body is bytes from the rule to the wire, and mostly JSON, so every eighth character is a quote
// to be escaped: a loop over bytes does that, and no text is made and taken apart again on the way.
import type { MessageAttributeValue, SendMessageBatchCommandInput, SendMessageBatchRequestEntry } from '@aws-sdk/client-sqs'

/** A message whose body is there as UTF-8, in pieces. They are joined only for whoever asks for MessageBody, as the SDK's serializer does. */
export class BytesEntry implements SendMessageBatchRequestEntry {
  /** Unique in its call. */
  Id = '0'
  readonly MessageAttributes: Record<string, MessageAttributeValue>
  readonly MessageGroupId: string | undefined
  readonly MessageDeduplicationId: string | undefined
  /** Private, like MessageBody no part of the entry's JSON. */
  readonly #pieces: readonly Uint8Array[]

  constructor(
    pieces: readonly Uint8Array[],
    attributes: Record<string, MessageAttributeValue>,
    ids: Pick<SendMessageBatchRequestEntry, 'MessageGroupId' | 'MessageDeduplicationId'> = {},
  ) {
    this.#pieces = pieces
    this.MessageAttributes = attributes
    this.MessageGroupId = ids.MessageGroupId
    this.MessageDeduplicationId = ids.MessageDeduplicationId
  }

  get MessageBody(): string {
    return Buffer.concat(this.#pieces).toString()
  }

  get pieces(): readonly Uint8Array[] {
    return this.#pieces
  }
}

const quote = 0x22
const backslash = 0x5c
const space = 0x20

/** What stands behind the backslash; 0 for control characters without a short form. */
const letters = Uint8Array.from({ length: space }, (_, code) => {
  const [, , letter = '', ...others] = JSON.stringify(String.fromCharCode(code))
  return others.length === 1 ? letter.charCodeAt(0) : 0
})

/** Grown when needed: a call is a MiB at most [AWS sqs-quotas], and twice that when every character is escaped. */
let memory = Buffer.allocUnsafeSlow(64 * 1024)

/** The same value as JSON.stringify's, for the SDK's JSON protocol [AWS json-1.0]. The members are text, numbers and booleans only. */
export function toBody({ QueueUrl, Entries = [] }: SendMessageBatchCommandInput): Buffer<ArrayBuffer> {
  let at = put(`{"QueueUrl":${JSON.stringify(QueueUrl)},"Entries":[`, 0)
  for (const [i, entry] of Entries.entries()) {
    at = put(i === 0 ? JSON.stringify(entry) : `,${JSON.stringify(entry)}`, at)
    if (entry instanceof BytesEntry) {
      at = put(',"MessageBody":"', at - 1)
      for (const piece of entry.pieces) at = putEscaped(piece, at)
      at = put('"}', at)
    }
  }
  at = put(']}', at)
  return Buffer.from(memory.subarray(0, at))
}

function put(text: string, at: number): number {
  reserve(at, text.length * 3)
  return at + memory.write(text, at)
}

function putEscaped(piece: Uint8Array, to: number): number {
  const { length } = piece
  reserve(to, length * 2)
  const bytes = memory
  // What is checked here, V8 does not check again for each byte: that these are bytes, and that places are whole numbers.
  let at = to | 0
  bytes[at] = space
  for (let i = 0; i < length; i++) {
    const code = piece[i]!
    if (code < space) {
      if (letters[code] === 0) return put(JSON.stringify(Buffer.from(piece).toString()).slice(1, -1), to)
      bytes[at++] = backslash
      bytes[at++] = letters[code]!
    } else {
      // Two comparisons are quicker than a table: most characters end the first.
      if (code === backslash || code === quote) bytes[at++] = backslash
      bytes[at++] = code
    }
  }
  return at
}

function reserve(at: number, more: number): void {
  if (at + more <= memory.length) return
  const larger = Buffer.allocUnsafeSlow(Math.max(memory.length * 2, at + more))
  memory.copy(larger, 0, 0, at)
  memory = larger
}
