import { GetQueueAttributesCommand, ListQueuesCommand, ReceiveMessageCommand, SendMessageBatchCommand } from '@aws-sdk/client-sqs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Aws } from '../../../gateway/aws/clients.ts'
import { createDeadLetters } from '../../../gateway/consume/dead-letters.ts'
import { deadLetterQueues, deadLetterQueuesNamed, findDeadLetterQueue } from '../../../gateway/consume/redrive.ts'
import { createSqsQueue } from '../../../gateway/consume/sqs-queue.ts'
import { systemClock as clock } from '../../../lib/clock.ts'
import { type LocalSqs, startLocalSqs } from '../../helpers/local-sqs.ts'

let sqs: LocalSqs
beforeAll(async () => {
  sqs = await startLocalSqs()
})
afterAll(() => sqs.stop())

const redriveTo = (name: string) => ({
  RedrivePolicy: JSON.stringify({ deadLetterTargetArn: `arn:aws:sqs:us-east-1:000000000000:${name}`, maxReceiveCount: 3 }),
})

test('follows the RedrivePolicy, shares a queue between its sources, and falls back on the name', async () => {
  const fifo = { FifoQueue: 'true' }
  const attributes: Readonly<Record<string, Record<string, string>>> = {
    failed: {},
    'failed.fifo': fifo,
    orders: redriveTo('failed'),
    invoices: redriveTo('failed'),
    'doors.fifo': { ...fifo, ...redriveTo('failed.fifo') },
    plain: {},
    'plain-dlq': {},
    // Its dead letters go elsewhere, so this one is not their queue in spite of its name.
    'orders-dlq': {},
    alone: {},
    itself: redriveTo('itself'),
  }
  for (const [name, own] of Object.entries(attributes)) sqs.server.createQueue(name, { attributes: own })
  const all = await deadLetterQueues(sqs.aws)
  expect(all).toEqual([
    { name: 'failed', sources: ['invoices', 'orders'] },
    { name: 'failed.fifo', sources: ['doors.fifo'] },
    { name: 'orders-dlq', sources: [] },
    { name: 'plain-dlq', sources: ['plain'] },
  ])
  const namesOf = (asked: string) => deadLetterQueuesNamed(all, asked).map(({ name }) => name)
  expect(['orders', 'failed', 'doors.fifo', 'plain', 'plain-dlq', 'alone', 'absent'].map(namesOf)).toEqual([
    ['failed'],
    ['failed'],
    ['failed.fifo'],
    ['plain-dlq'],
    ['plain-dlq'],
    [],
    [],
  ])
})

test('a consumer buries where the RedrivePolicy points, by name or by URL', async () => {
  sqs.server.createQueue('graveyard', { attributes: {} })
  sqs.server.createQueue('readings', { attributes: redriveTo('graveyard') })
  expect(await findDeadLetterQueue(sqs.aws, 'readings')()).toBe('graveyard')
  expect(await findDeadLetterQueue(sqs.aws, sqs.aws.queueUrl('readings'))()).toBe(sqs.aws.queueUrl('graveyard'))
  expect(await findDeadLetterQueue(sqs.aws, 'absent.fifo')()).toBe('absent-dlq.fifo')
  const deadLetterName = findDeadLetterQueue(sqs.aws, 'readings')
  const queue = createSqsQueue({ aws: sqs.aws, name: 'readings', deadLetterName, visibilityTimeoutSeconds: 30, clock })
  await queue.send([{ id: '1', key: 'k', group: 'acme', body: Buffer.from('{}'), attributes: {} }])
  const [item] = await queue.receive(1, 1_000, new AbortController().signal)
  await queue.bury(item!, 'HANDLER_REFUSED: no')
  expect(sqs.server.inspectQueue('graveyard')!.messages.ready).toHaveLength(1)
})

/** AWS as its API describes it, with what the emulator lacks: pages of ListQueues, and the source beside a letter that SQS moved. */
function anAws() {
  const sent: { readonly to: string; readonly attributes: object }[] = []
  const policies: Readonly<Record<string, string>> = {
    orders: redriveTo('failed').RedrivePolicy,
    invoices: redriveTo('failed').RedrivePolicy,
  }
  const pages = [['failed'], ['invoices', 'orders']]
  const base = 'https://sqs.eu-west-1.amazonaws.com/111122223333'
  const letters = [
    {
      MessageId: '1',
      ReceiptHandle: 'a',
      Body: '1',
      Attributes: { DeadLetterQueueSourceArn: 'arn:aws:sqs:eu-west-1:111122223333:orders' },
    },
    {
      MessageId: '2',
      ReceiptHandle: 'b',
      Body: '2',
      Attributes: {},
      MessageAttributes: { source: { DataType: 'String', StringValue: 'sensor-7' } },
    },
  ]
  const send = async (command: unknown): Promise<object> => {
    if (command instanceof ListQueuesCommand) {
      const page = Number(command.input.NextToken ?? 0)
      const NextToken = page + 1 < pages.length ? { NextToken: String(page + 1) } : {}
      return { QueueUrls: pages[page]!.map((name) => `${base}/${name}`), ...NextToken }
    }
    if (command instanceof GetQueueAttributesCommand) {
      const RedrivePolicy = policies[command.input.QueueUrl!.slice(base.length + 1)]
      return RedrivePolicy === undefined ? {} : { Attributes: { RedrivePolicy } }
    }
    if (command instanceof ReceiveMessageCommand) return { Messages: letters.splice(0) }
    if (command instanceof SendMessageBatchCommand) {
      const { QueueUrl = '', Entries = [] } = command.input
      for (const { MessageAttributes = {} } of Entries) sent.push({ to: QueueUrl, attributes: MessageAttributes })
      return { Successful: Entries.map(({ Id }) => ({ Id })) }
    }
    const { Entries } = (command as { readonly input: { readonly Entries: readonly { readonly Id: string }[] } }).input
    return { Successful: Entries.map(({ Id }) => ({ Id })) }
  }
  const aws = { sqs: { send }, queueUrl: (name: string) => `${base}/${name}` } as unknown as Pick<Aws, 'sqs' | 'queueUrl'>
  return { aws, sent, base }
}

test('a letter that SQS moved goes back to the queue it came from, and an attribute called source stays the sender’s', async () => {
  const { aws, sent, base } = anAws()
  const [shared] = await deadLetterQueues(aws)
  expect(shared).toEqual({ name: 'failed', sources: ['invoices', 'orders'] })
  const queueOf = (name: string) => createSqsQueue({ aws, name, visibilityTimeoutSeconds: 30, clock })
  const letters = createDeadLetters({ queue: queueOf('failed'), clock, observe: { record() {} } })
  const target = ({ source }: { readonly source?: string }) => (source === undefined ? undefined : queueOf(source))
  const options = { where: () => true, dryRun: false, perSecond: Infinity, force: false }
  const report = await letters.replay({ ...options, target }, new AbortController().signal)
  expect(report).toMatchObject({ seen: 2, replayed: 1, homeless: 1 })
  expect(sent.map(({ to }) => to)).toEqual([`${base}/orders`])

  const again = anAws()
  const all = createDeadLetters({
    queue: createSqsQueue({ aws: again.aws, name: 'failed', visibilityTimeoutSeconds: 30, clock }),
    clock,
    observe: { record() {} },
  })
  const to = createSqsQueue({ aws: again.aws, name: 'orders', visibilityTimeoutSeconds: 30, clock })
  await all.replay({ ...options, target: () => to }, new AbortController().signal)
  expect(again.sent[1]!.attributes).toMatchObject({ source: { StringValue: 'sensor-7' } })
})
