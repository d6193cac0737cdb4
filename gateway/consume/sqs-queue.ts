// Amazon SQS as a Queue: long polls, batches whose failed entries are heard, and moves that send before they delete.
import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  type SendMessageBatchRequestEntry,
} from '@aws-sdk/client-sqs'
import type { Clock } from '../../lib/clock.ts'
import { answerText } from '../aws/answer.ts'
import { type FailedEntry, outcomesOf } from '../aws/batch-answers.ts'
import type { Aws } from '../aws/clients.ts'
import { toSqsIdentifier } from '../aws/sqs-identifier.ts'
import { GatewayError } from '../errors.ts'
import { createCoalescer } from './coalesce.ts'
import type { Item, Outgoing, Queue } from './queue.ts'
import { reserved, textAttributes, toItem } from './sqs-item.ts'

export interface SqsQueueOptions {
  readonly aws: Pick<Aws, 'sqs' | 'queueUrl'>
  /** Name or URL. A name that ends in `.fifo` is a FIFO queue. */
  readonly name: string
  /** Name or URL of the queue that `bury` sends to, or how to find it. */
  readonly deadLetterName?: string | (() => Promise<string>)
  readonly visibilityTimeoutSeconds: number
  readonly clock: Pick<Clock, 'sleep'>
  /** How long a delete waits for others to share its request. Default 50 on standard queues, 3 on FIFO ones, whose successors wait for it. */
  readonly removeLingerMs?: number
}

/** [AWS sqs-quotas]: entries of a batch, bytes of a batch, attributes of a message. */
const maxEntries = 10
const maxBatchBytes = 1_048_576
const maxAttributes = 10
const maxVisibilityMs = 43_200_000
const maxDelayMs = 900_000

export function createSqsQueue(options: SqsQueueOptions): Queue {
  const { aws, name, deadLetterName, visibilityTimeoutSeconds, clock } = options
  const fifo = name.endsWith('.fifo')
  const label = name.slice(name.lastIndexOf('/') + 1)
  const url = aws.queueUrl(name)
  /** Receipt handles belong to the receive, so they live beside the item and die with it. */
  const handles = new WeakMap<Item, string>()

  const remove = createCoalescer<string>({
    max: maxEntries,
    lingerMs: options.removeLingerMs ?? (fifo ? 3 : 50),
    clock,
    async flush(receipts) {
      const Entries = receipts.map((ReceiptHandle, i) => ({ Id: String(i), ReceiptHandle }))
      const answer = await call(label, () => aws.sqs.send(new DeleteMessageBatchCommand({ QueueUrl: url, Entries })))
      return outcomesOf(answer, receipts.length, (entry) => toEntryError(label, entry))
    },
  })

  const hold = createCoalescer<{ readonly receipt: string; readonly seconds: number }>({
    max: maxEntries,
    lingerMs: 0,
    clock,
    async flush(holds) {
      const Entries = holds.map(({ receipt, seconds }, i) => ({ Id: String(i), ReceiptHandle: receipt, VisibilityTimeout: seconds }))
      const answer = await call(label, () => aws.sqs.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl: url, Entries })))
      return outcomesOf(answer, holds.length, (entry) => toEntryError(label, entry))
    },
  })

  const received = ({ MessageId = '', Body = '', Attributes = {}, MessageAttributes = {}, ReceiptHandle = '' }: Message): Item => {
    const attributes = textAttributes(MessageAttributes, ({ StringValue }) => StringValue)
    const item = toItem({ id: MessageId, body: Body, system: Attributes, attributes }, fifo)
    handles.set(item, ReceiptHandle)
    return item
  }

  const self: Queue = {
    name: label,
    fifo,
    async receive(max, waitMs, signal) {
      const command = new ReceiveMessageCommand({
        QueueUrl: url,
        MaxNumberOfMessages: Math.min(max, maxEntries),
        WaitTimeSeconds: Math.min(20, Math.ceil(waitMs / 1_000)),
        VisibilityTimeout: visibilityTimeoutSeconds,
        MessageAttributeNames: ['All'],
        MessageSystemAttributeNames: ['All'],
      })
      const { Messages = [] } = await call(label, () => aws.sqs.send(command, { abortSignal: signal }))
      return Messages.map(received)
    },
    async remove(items) {
      const settled = await Promise.allSettled(items.map((item) => remove(handles.get(item) ?? '')))
      rejectFailed(label, items, settled)
    },
    async hold(item, ms) {
      const seconds = Math.ceil(Math.min(ms, maxVisibilityMs) / 1_000)
      await hold({ receipt: handles.get(item) ?? '', seconds })
    },
    async bury(item, reason) {
      if (deadLetterName === undefined) {
        throw new GatewayError('DEAD_LETTER_QUEUE_MISSING', `queue ${label} names no dead-letter queue`)
      }
      const attributes = { ...item.attributes, reason, source: label, sentAt: String(item.sentAt) }
      const whole = handles.has(item)
      // The parts of one message have its id in common: without the key a FIFO queue would keep the first of them only.
      const to = typeof deadLetterName === 'string' ? deadLetterName : await deadLetterName()
      await sendAll(aws, to, [{ ...item, id: whole ? item.id : `${item.id}.${item.key}`, attributes }])
      if (whole) await self.remove([item])
    },
    send: (messages) => sendAll(aws, name, messages),
    async depth() {
      const command = new GetQueueAttributesCommand({
        QueueUrl: url,
        AttributeNames: ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible', 'ApproximateNumberOfMessagesDelayed'],
      })
      const { Attributes = {} } = await call(label, () => aws.sqs.send(command))
      const numbers: Readonly<Record<string, string | undefined>> = Attributes
      const count = (name: string) => Number(numbers[name] ?? 0)
      return {
        waiting: count('ApproximateNumberOfMessages') + count('ApproximateNumberOfMessagesDelayed'),
        inFlight: count('ApproximateNumberOfMessagesNotVisible'),
      }
    },
  }
  return self
}

async function sendAll(aws: SqsQueueOptions['aws'], name: string, messages: readonly Outgoing[]): Promise<void> {
  const fifo = name.endsWith('.fifo')
  const label = name.slice(name.lastIndexOf('/') + 1)
  const settled: PromiseSettledResult<unknown>[] = []
  for (const batch of batches(messages)) {
    const Entries = batch.map((message, i) => entryOf(message, String(i), fifo))
    try {
      const command = new SendMessageBatchCommand({ QueueUrl: aws.queueUrl(name), Entries })
      const answer = await call(label, () => aws.sqs.send(command))
      for (const reason of outcomesOf(answer, batch.length, (entry) => toEntryError(label, entry))) {
        settled.push(reason ? { status: 'rejected', reason } : { status: 'fulfilled', value: undefined })
      }
    } catch (reason) {
      for (const _ of batch) settled.push({ status: 'rejected', reason })
    }
  }
  rejectFailed(label, messages, settled)
}

function entryOf(message: Outgoing, Id: string, fifo: boolean): SendMessageBatchRequestEntry {
  const { group, key } = message
  const own = { [reserved.key]: key, ...(fifo || group === '' ? {} : { [reserved.tenant]: group }) }
  const attributes = Object.entries({ ...message.attributes, ...own }).filter(([, value]) => value !== '')
  const order = fifo
    ? { MessageGroupId: toSqsIdentifier(group || '-'), MessageDeduplicationId: toSqsIdentifier(message.id) }
    : {
        ...(group === '' ? {} : { MessageGroupId: toSqsIdentifier(group) }),
        ...(message.delayMs ? { DelaySeconds: Math.ceil(Math.min(message.delayMs, maxDelayMs) / 1_000) } : {}),
      }
  return {
    Id,
    MessageBody: Buffer.from(message.body).toString(),
    MessageAttributes: Object.fromEntries(
      fitting(attributes).map(([name, StringValue]) => [name, { DataType: 'String', StringValue }] as const),
    ),
    ...order,
  }
}

/** SQS carries ten attributes: when a move adds to a full set, the sender's own give way and ours stay. */
function fitting(attributes: readonly (readonly [string, string])[]): readonly (readonly [string, string])[] {
  if (attributes.length <= maxAttributes) return attributes
  const names = new Set<string>([...Object.values(reserved), 'redriven'])
  const ours = attributes.filter(([name]) => names.has(name))
  return [...ours, ...attributes.filter(([name]) => !names.has(name))].slice(0, maxAttributes)
}

function* batches(messages: readonly Outgoing[]): Generator<readonly Outgoing[]> {
  let batch: Outgoing[] = []
  let bytes = 0
  for (const message of messages) {
    const size = sizeOf(message)
    if (batch.length === maxEntries || (batch.length > 0 && bytes + size > maxBatchBytes)) {
      yield batch
      batch = []
      bytes = 0
    }
    batch.push(message)
    bytes += size
  }
  if (batch.length > 0) yield batch
}

/** Attribute names, types and values count like the body [AWS sqs-message-metadata]. */
function sizeOf({ body, group, key, attributes }: Outgoing): number {
  let bytes = body.byteLength + 64 + Buffer.byteLength(group) + Buffer.byteLength(key)
  for (const [name, value] of Object.entries(attributes)) bytes += name.length + 6 + Buffer.byteLength(value)
  return bytes
}

function toEntryError(label: string, { Code = '' }: FailedEntry): GatewayError {
  const lost = /MessageNotInflight|ReceiptHandleIsInvalid|InvalidParameterValue/.test(Code)
  return new GatewayError(lost ? 'LEASE_LOST' : 'QUEUE_REFUSED', `queue ${label} did not accept an entry`, { details: { reason: Code } })
}

function rejectFailed<T>(label: string, all: readonly T[], settled: readonly PromiseSettledResult<unknown>[]): void {
  const failed = all.filter((_, i) => settled[i]?.status === 'rejected')
  if (failed.length === 0) return
  const first = settled.find((outcome) => outcome.status === 'rejected')?.reason as unknown
  const code = first instanceof GatewayError ? first.code : 'QUEUE_REFUSED'
  throw new GatewayError(code, `queue ${label} did not accept ${failed.length} of ${all.length}`, { details: { failed }, cause: first })
}

async function call<T>(label: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    const missing = error instanceof Error && /QueueDoesNotExist|NonExistentQueue/.test(error.name)
    throw missing
      ? new GatewayError('QUEUE_MISSING', `queue ${label} does not exist`, { cause: error })
      : new GatewayError('QUEUE_UNREACHABLE', `queue ${label} ${answerText(error)}`, { cause: error })
  }
}
