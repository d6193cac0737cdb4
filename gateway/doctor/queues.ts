// What the doctor wants to know of a queue or a topic, wherever it is described: resources, a template, or AWS itself.
import { deadLetterNameOf } from '../aws.ts'
import type { Resources } from '../local/resources.ts'

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

/** What ensureResources gives a dead-letter queue: the longest there is. */
const deadLetterRetentionSeconds = 1_209_600
export const sqsMessageBytes = 1_048_576

export function queuesOf(file: string, { queues }: Resources): readonly QueueFacts[] {
  return Object.entries(queues).map(([name, { retentionSeconds, visibilityTimeoutSeconds, maxReceiveCount }]) => ({
    file,
    field: `queues.${name}`,
    name,
    fifo: name.endsWith('.fifo'),
    retentionSeconds,
    visibilityTimeoutSeconds,
    maximumMessageSize: sqsMessageBytes,
    redrive: { deadLetterQueue: deadLetterNameOf(name), maxReceiveCount, retentionSeconds: deadLetterRetentionSeconds },
    isDeadLetterQueue: false,
  }))
}

export function topicsOf(file: string, { topics }: Resources): readonly TopicFacts[] {
  return Object.entries(topics).map(([name, { queues }]) => ({ file, field: `topics.${name}`, name, queues }))
}
