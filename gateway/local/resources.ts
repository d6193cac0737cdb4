// The queues, topics and subscriptions a gateway expects, and their creation where no deployment has made them.
import { CreateTopicCommand, SubscribeCommand } from '@aws-sdk/client-sns'
import { CreateQueueCommand, GetQueueAttributesCommand, SetQueueAttributesCommand } from '@aws-sdk/client-sqs'
import { z } from 'zod'
import { type Aws, deadLetterNameOf } from '../aws.ts'

const queueName = /^[A-Za-z0-9_-]{1,75}(\.fifo)?$/

const queueSchema = z.strictObject({
  visibilityTimeoutSeconds: z.number().int().min(1).max(43_200).default(30).describe('how long a received message stays hidden'),
  retentionSeconds: z.number().int().min(60).max(1_209_600).default(345_600).describe('how long a message is kept'),
  maxReceiveCount: z.number().int().min(1).max(1_000).default(10).describe('receives before a message goes to the dead-letter queue'),
})

const topicSchema = z.strictObject({
  queues: z.array(z.string()).default([]).describe('queues that subscribe, with raw delivery'),
})

export const resourcesSchema = z.strictObject({
  queues: z
    .record(z.string().regex(queueName, 'a queue name has letters, digits, - and _, and may end in .fifo'), queueSchema)
    .default({})
    .describe('queues by name; each gets a dead-letter queue `<name>-dlq` (`<name>-dlq.fifo`)'),
  topics: z
    .record(z.string().regex(/^[A-Za-z0-9_-]{1,256}$/), topicSchema)
    .default({})
    .describe('SNS topics by name'),
})

export type Resources = z.infer<typeof resourcesSchema>
type QueueConfig = z.infer<typeof queueSchema>

/** Creates what is missing and sets what differs; running it again changes nothing. */
export async function ensureResources(aws: Aws, { queues, topics }: Resources): Promise<void> {
  for (const [name, config] of Object.entries(queues)) await ensureQueue(aws, name, config)
  for (const [name, { queues }] of Object.entries(topics)) {
    const { TopicArn } = await aws.sns.send(new CreateTopicCommand({ Name: name }))
    for (const queue of queues) await subscribe(aws, TopicArn!, queue)
  }
}

async function ensureQueue(
  aws: Aws,
  name: string,
  { visibilityTimeoutSeconds, retentionSeconds, maxReceiveCount }: QueueConfig,
): Promise<void> {
  const fifo: Record<string, string> = name.endsWith('.fifo') ? { FifoQueue: 'true' } : {}
  // A dead letter keeps the age it had, so its queue must keep messages longer [AWS sqs-dead-letter-queues].
  const deadLetterArn = await createQueue(aws, deadLetterNameOf(name), { ...fifo, MessageRetentionPeriod: '1209600' })
  await createQueue(aws, name, {
    ...fifo,
    VisibilityTimeout: String(visibilityTimeoutSeconds),
    MessageRetentionPeriod: String(retentionSeconds),
    RedrivePolicy: JSON.stringify({ deadLetterTargetArn: deadLetterArn, maxReceiveCount }),
  })
}

async function createQueue(aws: Aws, name: string, attributes: Record<string, string>): Promise<string> {
  const QueueUrl = aws.queueUrl(name)
  try {
    await aws.sqs.send(new CreateQueueCommand({ QueueName: name, Attributes: attributes }))
  } catch (error) {
    // It is there with other attributes, from an earlier run.
    if (!/QueueNameExists|QueueAlreadyExists/.test(String((error as Error).name))) throw error
    const { FifoQueue: _, ...settable } = attributes
    await aws.sqs.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: settable }))
  }
  const { Attributes } = await aws.sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] }))
  return Attributes!.QueueArn!
}

async function subscribe(aws: Aws, TopicArn: string, queue: string): Promise<void> {
  const { Attributes } = await aws.sqs.send(new GetQueueAttributesCommand({ QueueUrl: aws.queueUrl(queue), AttributeNames: ['QueueArn'] }))
  // With its attributes at once: only an equal call may be made again.
  const subscription = { TopicArn, Protocol: 'sqs', Endpoint: Attributes!.QueueArn!, Attributes: { RawMessageDelivery: 'true' } }
  await aws.sns.send(new SubscribeCommand(subscription))
}
