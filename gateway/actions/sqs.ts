// Sends the rule's result to an SQS queue, ten to a call. FIFO queues and message groups go beyond what AWS's rule action can do.
import { createHash } from 'node:crypto'
import { type MessageAttributeValue, SendMessageBatchCommand, type SendMessageBatchRequestEntry } from '@aws-sdk/client-sqs'
import { z } from 'zod'
import { GatewayError } from '../errors.ts'
import type { ActionDeps, ActionKind, Delivery, Target } from './action.ts'
import { targetName, toActionError, toEntryError } from './aws-errors.ts'
import { type Batcher, type BatchLimits, createBatcher } from './batch.ts'
import { createBatchers } from './batchers.ts'
import { isTemplate, localOnly, roleArn } from './params.ts'
import { toBase64, toText } from './text.ts'

const params = z
  .strictObject({
    queueUrl: z.string().min(1).describe('name or URL of the queue; a template such as `telemetry-${topic(3)}` picks one per message'),
    useBase64: z.boolean().default(false).describe('send the body as base64 text, for bodies that are not text'),
    roleArn,
    groupId: localOnly(
      z.string().min(1).optional(),
      'FIFO queue: what is kept in order, the message group. Standard queue: the tenant, for fair queues. A template such as `${topic(3)}`',
    ),
  })
  .refine(({ queueUrl, groupId }) => groupId !== undefined || isTemplate(queueUrl) || !isFifo(queueUrl), {
    path: ['groupId'],
    error: 'a FIFO queue needs a groupId that says what is kept in order, for example "${topic(5)}"',
  })

/** [AWS sqs-quotas] 10 entries, 1 MiB of bodies and attributes together. */
const maxBytes = 1_048_576
const limits: BatchLimits = { maxEntries: 10, maxBytes, maxCalls: 16, lingerMs: 10 }

type Entry = Omit<SendMessageBatchRequestEntry, 'Id'>

export const sqs = {
  summary: 'Send the result to an SQS queue.',
  params,
  bind(params, deps): Target {
    const queueOf = deps.template(params.queueUrl)
    const groupOf = params.groupId === undefined ? undefined : deps.template(params.groupId)
    const write = params.useBase64 ? toBase64 : toText
    const batchers = createBatchers((url) => createQueueBatcher(url, deps))
    return {
      action: 'sqs',
      async deliver(delivery, signal) {
        const url = deps.aws.queueUrl(queueOf(delivery))
        const body = write(delivery.body)
        const entry = toEntry(body, delivery.key, isFifo(url), groupOf?.(delivery))
        const bytes = sizeOf(entry)
        if (bytes > maxBytes) throw tooLarge(bytes, targetName(url))
        await batchers.of(url).add(entry, bytes, signal)
      },
      stop: () => batchers.drained(),
      ...(mayBeFifo(params.queueUrl) && {
        orderOf(delivery: Delivery) {
          const queue = queueOf(delivery)
          return isFifo(queue) ? `${queue} ${groupOf?.(delivery)}` : undefined
        },
      }),
    }
  },
} satisfies ActionKind<z.infer<typeof params>>

function createQueueBatcher(url: string, { aws, clock }: ActionDeps): Batcher<Entry> {
  const blamed = { action: 'sqs', target: targetName(url) }
  return createBatcher<Entry>({
    ...limits,
    clock,
    async send(entries, signal) {
      const Entries = entries.map((entry, index) => ({ Id: String(index), ...entry }))
      const command = new SendMessageBatchCommand({ QueueUrl: url, Entries })
      const { Failed = [] } = await aws.sqs.send(command, { abortSignal: signal }).catch((error) => {
        throw toActionError(error, blamed)
      })
      const outcomes: (GatewayError | undefined)[] = new Array(entries.length)
      for (const entry of Failed) outcomes[Number(entry.Id)] = toEntryError(entry, blamed)
      return outcomes
    },
  })
}

/**
 * The idempotency key travels as the attribute `messageId`. On standard queues the group travels as `tenant` too, because a
 * receiver does not get it back otherwise.
 */
function toEntry(body: string, key: string, fifo: boolean, group: string | undefined): Entry {
  const messageId = text(key)
  if (group === undefined) {
    if (fifo) throw new GatewayError('ACTION_REFUSED', 'a FIFO queue needs a groupId, and the action has none')
    return { MessageBody: body, MessageAttributes: { messageId } }
  }
  if (group === '') throw new GatewayError('ACTION_REFUSED', 'the groupId of the action came out empty for this message')
  const MessageGroupId = identifier(group)
  if (!fifo) return { MessageBody: body, MessageGroupId, MessageAttributes: { messageId, tenant: text(group) } }
  return { MessageBody: body, MessageGroupId, MessageDeduplicationId: identifier(key), MessageAttributes: { messageId } }
}

function text(value: string): MessageAttributeValue {
  return { DataType: 'String', StringValue: value }
}

// Group and deduplication ids: at most 128 letters, digits and ASCII punctuation [AWS SendMessage]. Others become their hash.
function identifier(value: string): string {
  return /^[!-~]{1,128}$/.test(value) ? value : createHash('sha256').update(value).digest('base64url')
}

// SQS counts the body and the name, type and value of each attribute [AWS sqs-quotas].
function sizeOf({ MessageBody = '', MessageAttributes = {} }: Entry): number {
  let bytes = Buffer.byteLength(MessageBody)
  for (const name in MessageAttributes) {
    bytes += name.length + 'String'.length + Buffer.byteLength(MessageAttributes[name]?.StringValue ?? '')
  }
  return bytes
}

function isFifo(queueUrl: string): boolean {
  return queueUrl.endsWith('.fifo')
}

function mayBeFifo(queueUrl: string): boolean {
  return isTemplate(queueUrl) || isFifo(queueUrl)
}

function tooLarge(bytes: number, target: string): GatewayError {
  const text = `the message has ${bytes} bytes with its attributes, and SQS takes at most ${maxBytes}`
  return new GatewayError('BODY_TOO_LARGE', text, { details: { action: 'sqs', target } })
}
