// The facts that the doctor compares, wherever they come from: resources, a template, or AWS itself.
import { deadLetterQueueOf, type Resources } from '../local/resources.ts'

export interface QueueFacts {
  readonly file: string
  readonly field: string
  readonly name: string
  readonly fifo: boolean
  readonly retentionSeconds: number
  readonly visibilityTimeoutSeconds: number
  /** Bytes of one message. */
  readonly maximumMessageSize: number
  readonly contentBasedDeduplication?: boolean
  /** Where failures go; absent: nowhere. */
  readonly redrive?: { readonly deadLetterQueue: string; readonly maxReceiveCount: number; readonly retentionSeconds?: number }
  /** Some other queue's failures come here. */
  readonly isDeadLetterQueue: boolean
}

export interface TopicFacts {
  readonly file: string
  readonly field: string
  readonly name: string
  /** Names of the queues that subscribe. */
  readonly queues: readonly string[]
}

/** The part of GetTopicRule's answer that is compared. */
export interface DeployedRule {
  readonly sql: string
  readonly awsIotSqlVersion?: string
  readonly ruleDisabled?: boolean
}

/** What AWS has. undefined: nothing of that name. */
export interface Deployed {
  /** `AWS us-east-1`. */
  readonly where: string
  readonly queues: ReadonlyMap<string, QueueFacts | undefined>
  /** Names of the queues that subscribe. */
  readonly topics: ReadonlyMap<string, readonly string[] | undefined>
  /** Absent: the address of the control plane is not configured, so rules are not compared. */
  readonly rules?: ReadonlyMap<string, DeployedRule | undefined>
}

/** What ensureResources gives a dead-letter queue that nobody describes: the longest there is. */
const deadLetterRetentionSeconds = 1_209_600
export const sqsMessageBytes = 1_048_576

interface Described {
  readonly retentionSeconds: number
  readonly visibilityTimeoutSeconds: number
  readonly maxReceiveCount: number
  readonly contentBasedDeduplication?: boolean
  /** `false`: none. */
  readonly deadLetterQueue?: string | false | undefined
}

export function queuesOf(file: string, { queues }: Resources): readonly QueueFacts[] {
  const described = Object.entries<Described>(queues)
  return described.map(([name, config]) => {
    const deadLetterQueue = deadLetterQueueOf(name, config)
    const retentionSeconds = (deadLetterQueue !== undefined && queues[deadLetterQueue]?.retentionSeconds) || deadLetterRetentionSeconds
    return {
      file,
      field: `queues.${name}`,
      name,
      fifo: name.endsWith('.fifo'),
      retentionSeconds: config.retentionSeconds,
      visibilityTimeoutSeconds: config.visibilityTimeoutSeconds,
      maximumMessageSize: sqsMessageBytes,
      contentBasedDeduplication: config.contentBasedDeduplication ?? false,
      ...(deadLetterQueue !== undefined && { redrive: { deadLetterQueue, maxReceiveCount: config.maxReceiveCount, retentionSeconds } }),
      isDeadLetterQueue: described.some(([other, otherConfig]) => other !== name && deadLetterQueueOf(other, otherConfig) === name),
    }
  })
}

export function topicsOf(file: string, { topics }: Resources): readonly TopicFacts[] {
  const nameOf = (subscription: string | { readonly queue: string }) =>
    typeof subscription === 'string' ? subscription : subscription.queue
  return Object.entries(topics).map(([name, { queues }]) => ({ file, field: `topics.${name}`, name, queues: queues.map(nameOf) }))
}
