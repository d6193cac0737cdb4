// The queues, topics and subscriptions a gateway expects, and their creation where no deployment has made them.
import { CreateTopicCommand, SNSClient, SubscribeCommand } from '@aws-sdk/client-sns'
import { CreateQueueCommand, GetQueueAttributesCommand, SetQueueAttributesCommand } from '@aws-sdk/client-sqs'
import { z } from 'zod'
import { type Aws, deadLetterNameOf } from '../aws/clients.ts'

const queueNameText = 'a queue name has letters, digits, - and _, and may end in .fifo'
const queueName = /^[A-Za-z0-9_-]{1,75}(\.fifo)?$/

const queueSchema = z.strictObject({
  visibilityTimeoutSeconds: z.number().int().min(1).max(43_200).default(30).describe('how long a received message stays hidden'),
  retentionSeconds: z.number().int().min(60).max(1_209_600).default(345_600).describe('how long a message is kept'),
  maxReceiveCount: z.number().int().min(1).max(1_000).default(10).describe('receives before a message goes to the dead-letter queue'),
  delaySeconds: z.number().int().min(0).max(900).default(0).describe('how long a new message stays hidden'),
  contentBasedDeduplication: z
    .boolean()
    .default(false)
    .describe('FIFO queues: a message without a deduplication id gets the hash of its body'),
  deadLetterQueue: z
    .union([z.string().regex(queueName, queueNameText), z.literal(false)])
    .optional()
    .describe('name of the dead-letter queue, or `false` for none; `<name>-dlq` where left out'),
})

const subscriptionSchema = z.strictObject({
  queue: z.string().min(1).describe('name of the queue'),
  raw: z.boolean().default(true).describe('the message as it was published; false: inside the JSON envelope of SNS'),
  filterPolicy: z.record(z.string(), z.unknown()).optional().describe('an SNS filter policy: only what fits it is delivered'),
  filterPolicyScope: z.enum(['MessageAttributes', 'MessageBody']).default('MessageAttributes').describe('what the filter policy looks at'),
})

const topicSchema = z.strictObject({
  queues: z
    .array(
      z.union([
        z
          .string()
          .min(1, 'the name of a queue')
          .transform((queue) => subscriptionSchema.parse({ queue })),
        subscriptionSchema,
      ]),
    )
    .default([])
    .describe('queues that subscribe: the name of one, which then gets everything raw, or more about it'),
})

export const resourcesSchema = z.strictObject({
  queues: z
    .record(z.string().regex(queueName, queueNameText), queueSchema)
    .default({})
    .describe('queues by name; each gets a dead-letter queue `<name>-dlq` (`<name>-dlq.fifo`)'),
  topics: z
    .record(z.string().regex(/^[A-Za-z0-9_-]{1,256}$/, 'a topic name has letters, digits, - and _'), topicSchema)
    .default({})
    .describe('SNS topics by name'),
})

export type Resources = z.infer<typeof resourcesSchema>
/** What a person may leave out. */
export type ResourcesInput = z.input<typeof resourcesSchema>
export type QueueConfig = z.infer<typeof queueSchema>
export type Subscription = z.infer<typeof subscriptionSchema>

/** undefined: the queue has none. */
export function deadLetterQueueOf(
  name: string,
  { deadLetterQueue = deadLetterNameOf(name) }: Pick<QueueConfig, 'deadLetterQueue'>,
): string | undefined {
  return deadLetterQueue === false ? undefined : deadLetterQueue
}

/** Every queue there is, the dead-letter queues that only others name included. */
export function queueNamesOf({ queues }: Resources): readonly string[] {
  const names = Object.entries(queues).flatMap(([name, config]) => [name, deadLetterQueueOf(name, config) ?? name])
  return [...new Set(names)]
}

/** The queues that are the dead-letter queue of another one. */
export function deadLetterNamesOf({ queues }: Resources): ReadonlySet<string> {
  const names = Object.entries(queues).map(([name, config]) => deadLetterQueueOf(name, config))
  return new Set(names.filter((name) => name !== undefined))
}

/** Creates what is missing and sets what differs; running it again changes nothing. */
export async function ensureResources(aws: Aws, resources: Resources): Promise<void> {
  const { queues, topics } = resources
  const arns = new Map<string, string>()
  for (const name of queueNamesOf(resources)) arns.set(name, await createQueue(aws, name, attributesOf(name, queues[name])))
  // Now that all are there, in whatever order they name each other.
  for (const [name, config] of Object.entries(queues)) {
    const deadLetterTargetArn = arns.get(deadLetterQueueOf(name, config) ?? '')
    if (deadLetterTargetArn === undefined) continue
    const RedrivePolicy = JSON.stringify({ deadLetterTargetArn, maxReceiveCount: config.maxReceiveCount })
    await aws.sqs.send(new SetQueueAttributesCommand({ QueueUrl: aws.queueUrl(name), Attributes: { RedrivePolicy } }))
  }
  for (const [name, { queues }] of Object.entries(topics)) {
    const { TopicArn } = await aws.client(SNSClient).send(new CreateTopicCommand({ Name: name }))
    for (const subscription of queues) await subscribe(aws, TopicArn!, subscription)
  }
}

/** Without a config: a dead-letter queue that only others name. */
function attributesOf(name: string, config: QueueConfig | undefined): Record<string, string> {
  const fifo: Record<string, string> = name.endsWith('.fifo') ? { FifoQueue: 'true' } : {}
  // A dead letter keeps the age it had, so its queue must keep messages longer [AWS sqs-dead-letter-queues].
  if (!config) return { ...fifo, MessageRetentionPeriod: '1209600' }
  const { visibilityTimeoutSeconds, retentionSeconds, delaySeconds, contentBasedDeduplication } = config
  return {
    ...fifo,
    VisibilityTimeout: String(visibilityTimeoutSeconds),
    MessageRetentionPeriod: String(retentionSeconds),
    ...(delaySeconds > 0 && { DelaySeconds: String(delaySeconds) }),
    ...(contentBasedDeduplication && { ContentBasedDeduplication: 'true' }),
  }
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

async function subscribe(aws: Aws, TopicArn: string, { queue, raw, filterPolicy, filterPolicyScope }: Subscription): Promise<void> {
  const { Attributes } = await aws.sqs.send(new GetQueueAttributesCommand({ QueueUrl: aws.queueUrl(queue), AttributeNames: ['QueueArn'] }))
  // With its attributes at once: only an equal call may be made again.
  const filter = filterPolicy && { FilterPolicy: JSON.stringify(filterPolicy), FilterPolicyScope: filterPolicyScope }
  const subscription = {
    TopicArn,
    Protocol: 'sqs',
    Endpoint: Attributes!.QueueArn!,
    Attributes: { ...(raw && { RawMessageDelivery: 'true' }), ...filter },
  }
  await aws.client(SNSClient).send(new SubscribeCommand(subscription))
}
