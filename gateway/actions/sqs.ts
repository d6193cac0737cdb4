// Sends the rule's result to an SQS queue, ten to a call. FIFO queues and message groups go beyond what AWS's rule action can do.
import { createHash } from 'node:crypto'
import { type MessageAttributeValue, SendMessageBatchCommand, type SendMessageBatchRequestEntry } from '@aws-sdk/client-sqs'
import { z } from 'zod'
import { pack, packAttribute, packedSize } from '../../lib/pack.ts'
import { GatewayError } from '../errors.ts'
import type { ActionDeps, ActionKind, Delivery, Target } from './action.ts'
import { targetName, toActionError, toEntryError } from './aws-errors.ts'
import { type Batcher, type BatchLimits, createBatcher } from './batch.ts'
import { type Batchers, createBatchers } from './batchers.ts'
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
    pack: localOnly(
      z
        .strictObject({
          maxBytes: z
            .number()
            .int()
            .min(1_024)
            .max(1_000_000)
            .default(65_536)
            .describe('a pack is closed before it would grow over this; SQS bills each 64 KiB as a request'),
          lingerMs: z.number().int().min(0).max(60_000).default(100).describe('milliseconds a reading waits for others'),
        })
        .optional(),
      'put many readings into one message, which divides the price and the work per reading; consumers must unpack. Not for FIFO queues',
    ),
  })
  .refine(({ queueUrl, pack }) => pack === undefined || !isFifo(queueUrl), {
    path: ['pack'],
    error: 'a FIFO queue sends one message of a group after another, so there is nothing to pack',
  })
  .refine(({ queueUrl, groupId }) => groupId !== undefined || isTemplate(queueUrl) || !isFifo(queueUrl), {
    path: ['groupId'],
    error: 'a FIFO queue needs a groupId that says what is kept in order, for example "${topic(5)}"',
  })

/** [AWS sqs-quotas] 10 entries, 1 MiB of bodies and attributes together. */
const maxBytes = 1_048_576
const limits: BatchLimits = { maxEntries: 10, maxBytes, maxCalls: 16, lingerMs: 10, eager: true }

type Entry = Omit<SendMessageBatchRequestEntry, 'Id'>

export const sqs = {
  summary: 'Send the result to an SQS queue.',
  params,
  bind(params, deps): Target {
    const queueOf = deps.template(params.queueUrl)
    const groupOf = params.groupId === undefined ? undefined : deps.template(params.groupId)
    const write = params.useBase64 ? toBase64 : toText
    const batchers = createBatchers((url) => createQueueBatcher(url, deps))
    const packs = params.pack && createPacks(params.pack, batchers, deps)
    return {
      action: 'sqs',
      async deliver(delivery, signal) {
        const url = deps.aws.queueUrl(queueOf(delivery))
        const body = write(delivery.body)
        const group = groupOf?.(delivery)
        if (packs && !isFifo(url)) return packs.add(url, group, delivery.key, body, signal)
        const entry = isFifo(url) ? toFifoEntry(body, delivery.key, group) : toEntry(body, { messageId: delivery.key }, group)
        await batchers.of(url).add(entry, checkedSize(entry, url), signal)
      },
      async stop() {
        await packs?.drained()
        await batchers.drained()
      },
      targetOf: (delivery) => targetName(queueOf(delivery)),
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
    async send(entries) {
      const Entries = entries.map((entry, index) => ({ Id: String(index), ...entry }))
      const command = new SendMessageBatchCommand({ QueueUrl: url, Entries })
      const { Failed = [] } = await aws.sqs.send(command).catch((error) => {
        throw toActionError(error, blamed)
      })
      const outcomes: (GatewayError | undefined)[] = new Array(entries.length)
      for (const entry of Failed) outcomes[Number(entry.Id)] = toEntryError(entry, blamed)
      return outcomes
    },
  })
}

/** The idempotency key travels as the attribute `messageId`; the group as `tenant` too, because a standard queue does not give it back. */
function toEntry(body: string, attributes: Readonly<Record<string, string>>, group: string | undefined): Entry {
  const MessageAttributes: Record<string, MessageAttributeValue> = {}
  for (const name in attributes) MessageAttributes[name] = text(attributes[name]!)
  if (group === undefined) return { MessageBody: body, MessageAttributes }
  MessageAttributes.tenant = text(group)
  return { MessageBody: body, MessageGroupId: identifier(group), MessageAttributes }
}

function toFifoEntry(body: string, key: string, group: string | undefined): Entry {
  if (group === undefined) throw new GatewayError('ACTION_REFUSED', 'a FIFO queue needs a groupId, and the action has none')
  return {
    MessageBody: body,
    MessageGroupId: identifier(group),
    MessageDeduplicationId: identifier(key),
    MessageAttributes: { messageId: text(key) },
  }
}

interface Reading {
  readonly key: string
  readonly body: string
  readonly bytes: number
}

// Readings leave a pack one by one when their callers go; the pack itself is sent for those that stay.
const unhurried = new AbortController().signal

/**
 * A batcher of readings per queue and group, in front of the batcher of the queue. A pack carries no `messageId`: after a retry the
 * same reading travels in different company, and a consumer that knows the pack by its first reading would drop the others.
 */
function createPacks({ maxBytes, lingerMs }: { maxBytes: number; lingerMs: number }, queues: Batchers<Entry>, { clock }: ActionDeps) {
  const packers = createBatchers<Reading>((target) => {
    const [url = '', ...rest] = target.split(' ')
    const group = rest.length === 0 ? undefined : rest.join(' ')
    return createBatcher<Reading>({
      maxEntries: 10_000,
      maxBytes: maxBytes - packHeadBytes(group),
      maxCalls: 64,
      lingerMs,
      eager: false,
      clock,
      async send(readings) {
        const entry = toEntry(pack(readings), { [packAttribute]: String(readings.length) }, group)
        await queues.of(url).add(entry, checkedSize(entry, url), unhurried)
        return []
      },
    })
  })
  return {
    async add(url: string, group: string | undefined, key: string, body: string, signal: AbortSignal) {
      const bytes = Buffer.byteLength(body)
      const packer = packers.of(group === undefined ? url : `${url} ${group}`)
      await packer.add({ key, body, bytes }, packedSize(key, bytes), signal)
    },
    drained: () => packers.drained(),
  }
}

// The line around the index, and the attributes with their names and types.
function packHeadBytes(group: string | undefined): number {
  return 64 + (group === undefined ? 0 : Buffer.byteLength(group))
}

function text(value: string): MessageAttributeValue {
  return { DataType: 'String', StringValue: value }
}

// Group and deduplication ids: at most 128 letters, digits and ASCII punctuation [AWS SendMessage]. Others become their hash.
function identifier(value: string): string {
  if (value === '') throw new GatewayError('ACTION_REFUSED', 'the groupId of the action came out empty for this message')
  return /^[!-~]{1,128}$/.test(value) ? value : createHash('sha256').update(value).digest('base64url')
}

// SQS counts the body and the name, type and value of each attribute [AWS sqs-quotas].
function checkedSize({ MessageBody = '', MessageAttributes = {} }: Entry, url: string): number {
  let bytes = Buffer.byteLength(MessageBody)
  for (const name in MessageAttributes) {
    bytes += name.length + 'String'.length + Buffer.byteLength(MessageAttributes[name]?.StringValue ?? '')
  }
  if (bytes > maxBytes) throw tooLarge(bytes, targetName(url))
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
