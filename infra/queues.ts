// The queues and topics of resources.json: encrypted, over TLS only, each queue with a place for its dead letters.
import { Duration } from 'aws-cdk-lib'
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Key } from 'aws-cdk-lib/aws-kms'
import { CfnSubscription, Topic } from 'aws-cdk-lib/aws-sns'
import { DeduplicationScope, FifoThroughputLimit, Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { deadLetterNameOf } from '../gateway/aws/clients.ts'
import { GatewayError } from '../gateway/errors.ts'
import { deadLetterQueueOf, type QueueConfig, type Resources, type Subscription } from '../gateway/local/resources.ts'

export interface QueuePair {
  readonly queue: Queue
  readonly deadLetterQueue: Queue
}

export interface QueuesProps {
  readonly resources: Resources
  /** By queue: how long its function may take, in seconds. */
  readonly functionSeconds: Readonly<Record<string, number>>
}

export class Queues extends Construct {
  readonly pairs: Readonly<Record<string, QueuePair>>
  readonly topics: Readonly<Record<string, Topic>>
  /** Of the topics. The queues' own keys are SQS's, which needs no permission and costs nothing. */
  readonly key: Key

  constructor(scope: Construct, { resources, functionSeconds }: QueuesProps) {
    super(scope, 'Queues')
    const pairOf = ([name, config]: [string, QueueConfig]) => [name, this.pair(name, config, functionSeconds[name] ?? 0)] as const
    this.pairs = Object.fromEntries(Object.entries(resources.queues).map(pairOf))
    this.key = new Key(this, 'TopicKey', { enableKeyRotation: true, description: 'Encrypts what waits in the topics' })
    const topicOf = (name: string) => new Topic(this, `Topic-${name}`, { topicName: name, masterKey: this.key, enforceSSL: true })
    this.topics = Object.fromEntries(Object.keys(resources.topics).map((name) => [name, topicOf(name)]))
    for (const [name, { queues }] of Object.entries(resources.topics))
      for (const subscription of queues) this.subscribe(this.topics[name]!, name, subscription)
  }

  private pair(name: string, config: QueueConfig, functionSeconds: number): QueuePair {
    const fifo = name.endsWith('.fifo')
    const deadLetterName = deadLetterNameOf(name)
    if (deadLetterQueueOf(name, config) !== deadLetterName)
      throw new GatewayError(
        'CONFIG_INVALID',
        `resources.json: queues.${name}.deadLetterQueue: a deployed queue always has ${deadLetterName}`,
      )
    const common = {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      // One group's traffic does not use up another's [AWS high-throughput-fifo].
      ...(fifo && {
        fifo,
        deduplicationScope: DeduplicationScope.MESSAGE_GROUP,
        fifoThroughputLimit: FifoThroughputLimit.PER_MESSAGE_GROUP_ID,
      }),
    }
    const id = name.replace('.', '-')
    // A dead letter keeps the age it had, so its queue must keep messages longer [AWS sqs-dead-letter-queues].
    const deadLetterQueue = new Queue(this, `${id}-dead`, { ...common, queueName: deadLetterName, retentionPeriod: Duration.days(14) })
    const queue = new Queue(this, id, {
      ...common,
      queueName: name,
      // Six times the function's timeout leaves room for Lambda's own retries [AWS lambda services-sqs-configure].
      visibilityTimeout: Duration.seconds(Math.max(config.visibilityTimeoutSeconds, 6 * functionSeconds)),
      retentionPeriod: Duration.seconds(config.retentionSeconds),
      ...(config.delaySeconds > 0 && { deliveryDelay: Duration.seconds(config.delaySeconds) }),
      ...(config.contentBasedDeduplication && { contentBasedDeduplication: true }),
      deadLetterQueue: { queue: deadLetterQueue, maxReceiveCount: config.maxReceiveCount },
    })
    return { queue, deadLetterQueue }
  }

  private subscribe(topic: Topic, topicName: string, { queue: name, raw, filterPolicy, filterPolicyScope }: Subscription): void {
    const pair = this.pairs[name]
    if (!pair) throw new GatewayError('CONFIG_INVALID', `resources.json: topics.${topicName}: queue "${name}" is not in queues`)
    const { queue, deadLetterQueue } = pair
    for (const target of [queue, deadLetterQueue]) allowTopic(target, topic)
    new CfnSubscription(this, `${topicName}-to-${name}`, {
      topicArn: topic.topicArn,
      protocol: 'sqs',
      endpoint: queue.queueArn,
      rawMessageDelivery: raw,
      ...(filterPolicy && { filterPolicy, filterPolicyScope }),
      // What SNS cannot deliver goes where the queue's other dead letters are.
      redrivePolicy: { deadLetterTargetArn: deadLetterQueue.queueArn },
    })
  }
}

function allowTopic(queue: Queue, topic: Topic): void {
  queue.addToResourcePolicy(
    new PolicyStatement({
      actions: ['sqs:SendMessage'],
      resources: [queue.queueArn],
      principals: [new ServicePrincipal('sns.amazonaws.com')],
      conditions: { ArnEquals: { 'aws:SourceArn': topic.topicArn } },
    }),
  )
}
