import { expect, test } from 'vitest'
import { createLambdaHandler } from '../../../gateway/consume/lambda.ts'
import type { Item } from '../../../gateway/consume/queue.ts'
import { createSqsQueue } from '../../../gateway/consume/sqs-queue.ts'
import { createManualClock } from '../../helpers/manual-clock.ts'

interface Wire {
  readonly queue: string
  readonly system: Readonly<Record<string, string>>
  readonly attributes: Readonly<Record<string, string>>
}

const context = { getRemainingTimeInMillis: () => 30_000 }
const clock = createManualClock()

/** What the gateway's own consumer receives. */
async function received({ queue, system, attributes }: Wire): Promise<Item> {
  const MessageAttributes = Object.fromEntries(Object.entries(attributes).map(([name, StringValue]) => [name, { StringValue }]))
  const Messages = [{ MessageId: 'id-1', Body: '{}', Attributes: system, MessageAttributes, ReceiptHandle: 'receipt' }]
  const aws = { sqs: { send: async () => ({ Messages }) }, queueUrl: (name: string) => name }
  const { receive } = createSqsQueue({ aws: aws as never, name: queue, visibilityTimeoutSeconds: 30, clock })
  return (await receive(1, 0, new AbortController().signal))[0]!
}

/** What the handler is called with in AWS Lambda. */
async function invoked({ queue, system, attributes }: Wire): Promise<Item> {
  const messageAttributes = Object.fromEntries(Object.entries(attributes).map(([name, stringValue]) => [name, { stringValue }]))
  const eventSourceARN = `arn:aws:sqs:us-east-1:123456789012:${queue}`
  const items: Item[] = []
  const lambda = createLambdaHandler({ handler: async (item) => void items.push(item), clock })
  await lambda({ Records: [{ messageId: 'id-1', body: '{}', attributes: system, messageAttributes, eventSourceARN }] }, context)
  return items[0]!
}

const plain = { receives: 1, sentAt: 0, key: 'id-1', group: '' }
const hash = 'OXpE0J0BmQxkGvJYCMh3jW7GfQm1m2VnJk1rVn1l8yY'

test.each<[string, Wire, Partial<Item>]>([
  ['neither group nor tenant', { queue: 'plain', system: {}, attributes: {} }, plain],
  ['a message group', { queue: 'plain', system: { MessageGroupId: 'acme' }, attributes: {} }, { group: 'acme' }],
  [
    'a tenant and the hash of its name',
    { queue: 'plain', system: { MessageGroupId: hash }, attributes: { tenant: 'Köln' } },
    { group: 'Köln' },
  ],
  ['a tenant and another group', { queue: 'plain', system: { MessageGroupId: 'a' }, attributes: { tenant: 'b' } }, { group: 'b' }],
  ['the attribute `group`', { queue: 'plain', system: { MessageGroupId: 'a' }, attributes: { group: 'c' } }, { group: 'c' }],
  ['a FIFO queue with a tenant', { queue: 'door.fifo', system: { MessageGroupId: 'a' }, attributes: { tenant: 'b' } }, { group: 'a' }],
  [
    'a deduplication id',
    { queue: 'door.fifo', system: { MessageGroupId: 'a', MessageDeduplicationId: 'd' }, attributes: {} },
    { key: 'd' },
  ],
  ['a key of the sender', { queue: 'door.fifo', system: { MessageDeduplicationId: 'd' }, attributes: { messageId: 'k' } }, { key: 'k' }],
  ['earlier tries', { queue: 'plain', system: { ApproximateReceiveCount: '2' }, attributes: { tries: '3' } }, { receives: 5 }],
  ['the age of the original', { queue: 'plain', system: { SentTimestamp: '20' }, attributes: { sentAt: '10' } }, { sentAt: 10 }],
  ['an age that is not a number', { queue: 'plain', system: { SentTimestamp: '20' }, attributes: { sentAt: 'x' } }, { sentAt: 20 }],
  [
    'a queue it was moved from',
    { queue: 'plain', system: { DeadLetterQueueSourceArn: 'arn:aws:sqs:us-east-1:123456789012:orders' }, attributes: {} },
    { movedFrom: 'orders' },
  ],
])('the gateway and Lambda read a message with %s alike', async (_, wire, expected) => {
  const item = await received(wire)
  expect(item).toMatchObject(expected)
  expect(await invoked(wire)).toEqual(item)
})
