// How every queue stands, looked at when somebody asks: polling costs money on AWS.
import type { Clock } from '../../lib/clock.ts'
import type { Aws } from '../aws/clients.ts'
import { type BacklogReport, createBacklog } from './backlog.ts'
import type { Consumer } from './consumer.ts'
import { createSqsQueue } from './sqs-queue.ts'

/** Without numbers where the queue could not be asked. */
export type QueueState = Partial<BacklogReport> & Pick<BacklogReport, 'queue'> & { readonly isDeadLetterQueue?: true }

export interface QueueStatesOptions {
  readonly aws: Aws
  readonly names: readonly string[]
  /** Those of the names that dead letters go to. */
  readonly deadLetterNames?: ReadonlySet<string>
  /** Those of this process: what they take away is known. */
  readonly consumers: readonly Consumer[]
  readonly clock: Clock
}

export function createQueueStates({
  aws,
  names,
  deadLetterNames,
  consumers,
  clock,
}: QueueStatesOptions): () => Promise<readonly QueueState[]> {
  const backlogs = names.map((name) => {
    const queue = createSqsQueue({ aws, name, visibilityTimeoutSeconds: 30, clock })
    const consumer = consumers.find((consumer) => consumer.queue === name)
    return { name, backlog: createBacklog({ queue, clock, ...(consumer ? { stats: consumer.stats } : {}) }) }
  })
  const look = async ({ name, backlog }: (typeof backlogs)[number]): Promise<QueueState> => {
    const asked = await backlog.sample().then(
      () => true,
      () => false,
    )
    const state = asked ? backlog.report() : { queue: name }
    return deadLetterNames?.has(name) ? { ...state, isDeadLetterQueue: true } : state
  }
  return () => Promise.all(backlogs.map(look))
}
