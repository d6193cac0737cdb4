// Which queue is the dead-letter queue of which: the RedrivePolicy of the source queue says so, and the name where there is none.
import { GetQueueAttributesCommand, ListQueuesCommand } from '@aws-sdk/client-sqs'
import { answerText } from '../aws/answer.ts'
import { type Aws, deadLetterNameOf, sourceNameOf } from '../aws/clients.ts'
import { GatewayError } from '../errors.ts'
import { queueNameOf } from './sqs-item.ts'

type Reach = Pick<Aws, 'sqs' | 'queueUrl'>

/** A dead-letter queue and the queues whose messages it gets. */
export interface DeadLetterQueue {
  readonly name: string
  readonly sources: readonly string[]
}

const atOnce = 10

/** The queue that the RedrivePolicy names; undefined: the queue has no such policy. Rejects where SQS does not say. */
async function targetOf({ sqs, queueUrl }: Reach, name: string): Promise<string | undefined> {
  const command = new GetQueueAttributesCommand({ QueueUrl: queueUrl(name), AttributeNames: ['RedrivePolicy'] })
  const { Attributes = {} } = await sqs.send(command)
  return Attributes.RedrivePolicy === undefined ? undefined : targetIn(Attributes.RedrivePolicy)
}

function targetIn(policy: string): string | undefined {
  try {
    const { deadLetterTargetArn } = JSON.parse(policy) as { readonly deadLetterTargetArn?: unknown }
    return typeof deadLetterTargetArn === 'string' && deadLetterTargetArn !== '' ? queueNameOf(deadLetterTargetArn) : undefined
  } catch {
    return undefined
  }
}

/**
 * Finds the dead-letter queue of one queue when it is needed: a URL or a name, as the queue was given. It is in the same account and
 * Region as its source [AWS sqs-dead-letter-queues]. A policy is read once; without one, or without leave to read it, the name decides.
 */
export function findDeadLetterQueue(aws: Reach, queue: string): () => Promise<string> {
  let found: string | undefined
  return async () => {
    const name = found ?? (await targetOf(aws, queue).catch(() => undefined))
    found = name
    return name === undefined ? deadLetterNameOf(queue) : queue.slice(0, queue.lastIndexOf('/') + 1) + name
  }
}

/** Names of all queues, in their order. */
export async function queueNames({ sqs }: Pick<Aws, 'sqs'>): Promise<readonly string[]> {
  const names: string[] = []
  let NextToken: string | undefined
  do {
    const command = new ListQueuesCommand({ MaxResults: 1_000, ...(NextToken ? { NextToken } : {}) })
    const answer = await sqs.send(command).catch((cause) => {
      throw new GatewayError('QUEUE_UNREACHABLE', `the queues cannot be listed: SQS ${answerText(cause)}`, { cause })
    })
    names.push(...(answer.QueueUrls ?? []).map(queueNameOf))
    NextToken = answer.NextToken
  } while (NextToken)
  return names.sort()
}

/** Every dead-letter queue of the account. A queue that several sources share is listed once, with all of them. */
export async function deadLetterQueues(aws: Reach): Promise<readonly DeadLetterQueue[]> {
  const names = await queueNames(aws)
  const targets = new Map<string, string | undefined>()
  const left = [...names]
  const work = async () => {
    for (let name = left.pop(); name !== undefined; name = left.pop()) {
      // A queue may be deleted meanwhile, or be closed to the caller.
      const target = await targetOf(aws, name).catch(() => undefined)
      targets.set(name, target === name ? undefined : target)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  const sources = Map.groupBy(
    names.filter((name) => targets.get(name) !== undefined),
    (name) => targets.get(name)!,
  )
  return names.flatMap((name) => {
    const byName = sourceNameOf(name)
    // By name only where no policy says otherwise: `a-dlq` is not that of `a` when `a` sends its dead letters elsewhere.
    const usual = byName !== undefined && targets.get(byName) === undefined ? [byName] : []
    const own = sources.get(name) ?? usual
    return own.length > 0 || byName !== undefined ? [{ name, sources: own }] : []
  })
}

/** The dead-letter queues that a name means: the queue itself where it is one, otherwise that of the queue. */
export function deadLetterQueuesNamed(all: readonly DeadLetterQueue[], name: string): readonly DeadLetterQueue[] {
  const itself = all.filter((queue) => queue.name === name)
  return itself.length > 0 ? itself : all.filter(({ sources }) => sources.includes(name))
}
