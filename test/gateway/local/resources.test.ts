// Queues, topics and subscriptions against the embedded SQS and SNS.
import { PublishCommand, SNSClient } from '@aws-sdk/client-sns'
import { GetQueueAttributesCommand } from '@aws-sdk/client-sqs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { deadLetterNamesOf, ensureResources, queueNamesOf, type ResourcesInput, resourcesSchema } from '../../../gateway/local/resources.ts'
import { startTestAws, type TestAws } from '../../helpers/fauxqs.ts'
import { receiveAll } from '../../helpers/sqs.ts'

let sqs: TestAws

beforeAll(async () => {
  sqs = await startTestAws()
})
afterAll(() => sqs.stop())

/** Queues of their own for each test: the SQS is shared. */
async function ensured(input: ResourcesInput, times = 1) {
  const { aws, endpoint } = sqs
  const port = Number(new URL(endpoint).port)
  const resources = resourcesSchema.parse(input)
  for (let i = 0; i < times; i++) await ensureResources(aws, resources)
  const attributes = async (name: string) => {
    const { Attributes = {} } = await aws.sqs.send(new GetQueueAttributesCommand({ QueueUrl: aws.queueUrl(name), AttributeNames: ['All'] }))
    return Attributes as Readonly<Record<string, string>>
  }
  return { aws, port, attributes, resources }
}

test('a queue has the dead-letter queue that is named, with what is said of it, in whatever order they stand', async () => {
  const { attributes, resources } = await ensured(
    { queues: { a: { deadLetterQueue: 'z', maxReceiveCount: 3 }, z: { deadLetterQueue: false, retentionSeconds: 900 }, plain: {} } },
    2,
  )
  const redrive = async (name: string) => JSON.parse((await attributes(name)).RedrivePolicy ?? 'null')
  expect(await redrive('a')).toEqual({ deadLetterTargetArn: 'arn:aws:sqs:us-east-1:000000000000:z', maxReceiveCount: 3 })
  expect(await redrive('z')).toBeNull()
  expect(await redrive('plain')).toMatchObject({ deadLetterTargetArn: 'arn:aws:sqs:us-east-1:000000000000:plain-dlq' })
  expect((await attributes('z')).MessageRetentionPeriod).toBe('900')
  expect((await attributes('plain-dlq')).MessageRetentionPeriod).toBe('1209600')
  expect(queueNamesOf(resources)).toEqual(['a', 'z', 'plain', 'plain-dlq'])
})

test('queues that are each other’s dead-letter queue are made too', async () => {
  const { attributes } = await ensured({ queues: { c: { deadLetterQueue: 'd' }, d: { deadLetterQueue: 'c' } } })
  expect((await attributes('c')).RedrivePolicy).toContain(':d')
})

test('a delay, and deduplication by content', async () => {
  const { attributes } = await ensured({ queues: { slow: { delaySeconds: 7 }, 'f.fifo': { contentBasedDeduplication: true } } })
  expect((await attributes('slow')).DelaySeconds).toBe('7')
  expect(await attributes('f.fifo')).toMatchObject({ FifoQueue: 'true', ContentBasedDeduplication: 'true' })
})

test('a filter policy lets through what fits it; an envelope is only around what is not raw', async () => {
  const queues = [
    'all',
    { queue: 'hot', filterPolicyScope: 'MessageBody' as const, filterPolicy: { t: [{ numeric: ['>', 5] }] } },
    { queue: 'enveloped', raw: false },
  ]
  const { aws, port } = await ensured({ queues: { all: {}, hot: {}, enveloped: {} }, topics: { alerts: { queues } } })
  for (const Message of ['{"t":1}', '{"t":9}'])
    await aws.client(SNSClient).send(new PublishCommand({ TopicArn: aws.topicArn('alerts'), Message }))
  const bodies = async (queue: string) => (await receiveAll(port, queue)).map(({ body }) => body).sort()
  expect(await bodies('all')).toEqual(['{"t":1}', '{"t":9}'])
  expect(await bodies('hot')).toEqual(['{"t":9}'])
  expect((await bodies('enveloped')).map((body) => JSON.parse(body).Message).sort()).toEqual(['{"t":1}', '{"t":9}'])
})

test('a subscription without a name is told, and no crash', () => {
  const [issue] = resourcesSchema.safeParse({ topics: { alerts: { queues: [''] } } }).error?.issues ?? []
  expect(issue?.path).toEqual(['topics', 'alerts', 'queues', 0])
})

test('a queue is a dead-letter queue when another one names it, whatever its own name', () => {
  const resources = resourcesSchema.parse({
    queues: { orders: { deadLetterQueue: 'failed' }, 'doors.fifo': {}, 'plain-dlq': { deadLetterQueue: false } },
  })
  expect([...deadLetterNamesOf(resources)]).toEqual(['failed', 'doors-dlq.fifo'])
})
