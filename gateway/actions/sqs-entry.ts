// One message of a SendMessageBatch: what travels beside the body, what SQS calls an identifier, and how much it all weighs.
import { createHash } from 'node:crypto'
import type { MessageAttributeValue } from '@aws-sdk/client-sqs'
import { BytesEntry, type Text } from '../aws-body.ts'
import { GatewayError } from '../errors.ts'
import { targetName } from './aws-errors.ts'

/** Of a message, and of a call [AWS sqs-quotas]. */
export const sqsMaxBytes = 1_048_576

/** The idempotency key travels as the attribute `messageId`; the group as `tenant` too, because a standard queue does not give it back. */
export function toEntry(body: Text, attributes: Readonly<Record<string, string>>, group: string | undefined): BytesEntry {
  const MessageAttributes: Record<string, MessageAttributeValue> = {}
  for (const name in attributes) MessageAttributes[name] = text(attributes[name]!)
  if (group === undefined) return new BytesEntry(body, MessageAttributes)
  MessageAttributes.tenant = text(group)
  return new BytesEntry(body, MessageAttributes, { MessageGroupId: identifier(group) })
}

export function toFifoEntry(body: Text, key: string, group: string | undefined): BytesEntry {
  if (group === undefined) throw new GatewayError('ACTION_REFUSED', 'a FIFO queue needs a groupId, and the action has none')
  const ids = { MessageGroupId: identifier(group), MessageDeduplicationId: identifier(key) }
  return new BytesEntry(body, { messageId: text(key) }, ids)
}

function text(value: string): MessageAttributeValue {
  return { DataType: 'String', StringValue: value }
}

// Group and deduplication ids: at most 128 letters, digits and ASCII punctuation [AWS SendMessage]. Others become their hash.
function identifier(value: string): string {
  if (value === '') throw new GatewayError('ACTION_REFUSED', 'the groupId of the action came out empty for this message')
  return /^[!-~]{1,128}$/.test(value) ? value : createHash('sha256').update(value).digest('base64url')
}

/** SQS counts the body and the name, type and value of each attribute [AWS sqs-quotas]. Throws BODY_TOO_LARGE. */
export function checkedSize(bodyBytes: number, { MessageAttributes }: BytesEntry, url: string): number {
  let bytes = bodyBytes
  for (const name in MessageAttributes) {
    bytes += name.length + 'String'.length + Buffer.byteLength(MessageAttributes[name]?.StringValue ?? '')
  }
  if (bytes > sqsMaxBytes) throw tooLarge(bytes, targetName(url))
  return bytes
}

function tooLarge(bytes: number, target: string): GatewayError {
  const text = `the message has ${bytes} bytes with its attributes, and SQS takes at most ${sqsMaxBytes}`
  return new GatewayError('BODY_TOO_LARGE', text, { details: { action: 'sqs', target } })
}
