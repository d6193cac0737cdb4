// One message of a SendMessageBatch: what travels beside the body, what SQS calls an identifier, and how much it all weighs.
import type { MessageAttributeValue, SendMessageBatchRequestEntry } from '@aws-sdk/client-sqs'
import { packAttribute } from '../../lib/pack.ts'
import { BytesEntry } from '../aws/body.ts'
import { toSqsIdentifier } from '../aws/sqs-identifier.ts'
import { GatewayError } from '../errors.ts'
import { targetName } from './aws-errors.ts'

/** Of a message, and of a call [AWS sqs-quotas]. */
export const sqsMaxBytes = 1_048_576

export type SqsEntry = SendMessageBatchRequestEntry & Required<Pick<SendMessageBatchRequestEntry, 'MessageAttributes'>>

/** The idempotency key travels as the attribute `messageId`; the group as `tenant` too, because a standard queue does not give it back. */
export function toEntry(body: string, key: string, group: string | undefined): SqsEntry {
  const MessageAttributes = toAttributes('messageId', key, group)
  if (group === undefined) return { Id: '0', MessageBody: body, MessageAttributes }
  return { Id: '0', MessageBody: body, MessageGroupId: identifier(group), MessageAttributes }
}

/** Readings have keys of their own, in the pack. */
export function toPackEntry(pieces: readonly Uint8Array[], readings: number, group: string | undefined): SqsEntry {
  const MessageAttributes = toAttributes(packAttribute, String(readings), group)
  return new BytesEntry(pieces, MessageAttributes, group === undefined ? undefined : identifier(group))
}

export function toFifoEntry(body: string, key: string, group: string | undefined): SqsEntry {
  if (group === undefined) throw new GatewayError('ACTION_REFUSED', 'a FIFO queue needs a groupId, and the action has none')
  return {
    Id: '0',
    MessageBody: body,
    MessageGroupId: identifier(group),
    MessageDeduplicationId: identifier(key),
    MessageAttributes: { messageId: text(key) },
  }
}

function toAttributes(name: string, value: string, group: string | undefined): Record<string, MessageAttributeValue> {
  return group === undefined ? { [name]: text(value) } : { [name]: text(value), tenant: text(group) }
}

function text(value: string): MessageAttributeValue {
  return { DataType: 'String', StringValue: value }
}

function identifier(value: string): string {
  if (value === '') throw new GatewayError('ACTION_REFUSED', 'the groupId of the action came out empty for this message')
  return toSqsIdentifier(value)
}

/** SQS counts the body and the name, type and value of each attribute [AWS sqs-quotas]. Throws BODY_TOO_LARGE. */
export function checkedSize(bodyBytes: number, { MessageAttributes }: SqsEntry, url: string): number {
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
