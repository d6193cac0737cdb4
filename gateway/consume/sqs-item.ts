// Reads an SQS message as an Item: for messages from the SDK and for the records of a Lambda event.
import { type Item, toNumber } from './queue.ts'

/** Message attributes with a meaning; every other attribute of the sender is kept as it is. */
export const reserved = {
  key: 'messageId',
  tenant: 'tenant',
  sentAt: 'sentAt',
  tries: 'tries',
  reason: 'reason',
  source: 'source',
} as const

export interface SqsMessage {
  readonly id: string
  readonly body: string
  /** What SQS adds: `MessageGroupId`, `ApproximateReceiveCount`, … */
  readonly system: Readonly<Record<string, string | undefined>>
  /** Message attributes of type String. */
  readonly attributes: Readonly<Record<string, string>>
}

/**
 * The group of a FIFO item is its message group. On a standard queue the attribute `tenant` comes
 * first: some emulators do not return the group there, and a name SQS does not allow was sent as
 * its hash.
 */
export function toItem({ id, body, system, attributes }: SqsMessage, fifo: boolean): Item {
  const { MessageGroupId, MessageDeduplicationId, DeadLetterQueueSourceArn } = system
  const tenant = fifo ? undefined : (attributes[reserved.tenant] ?? attributes.group)
  return {
    id,
    body: Buffer.from(body),
    group: tenant ?? MessageGroupId ?? '',
    key: attributes[reserved.key] ?? MessageDeduplicationId ?? id,
    receives: Number(system.ApproximateReceiveCount ?? 1) + (toNumber(attributes[reserved.tries]) ?? 0),
    sentAt: toNumber(attributes[reserved.sentAt]) ?? Number(system.SentTimestamp ?? 0),
    attributes,
    ...(DeadLetterQueueSourceArn === undefined ? {} : { movedFrom: queueNameOf(DeadLetterQueueSourceArn) }),
  }
}

/** Keeps the attributes that have a text; binary ones have none. */
export function textAttributes<A>(all: Readonly<Record<string, A>>, textOf: (attribute: A) => string | undefined): Record<string, string> {
  const attributes: Record<string, string> = {}
  for (const [name, attribute] of Object.entries(all)) {
    const text = textOf(attribute)
    if (text !== undefined) attributes[name] = text
  }
  return attributes
}

/** `arn:aws:sqs:eu-west-1:111122223333:orders` and `https://…/111122223333/orders` → `orders`. */
export function queueNameOf(arnOrUrl: string): string {
  return arnOrUrl.slice(Math.max(arnOrUrl.lastIndexOf(':'), arnOrUrl.lastIndexOf('/')) + 1)
}
