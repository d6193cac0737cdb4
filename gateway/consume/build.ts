// From what the configuration says about a consumer to one that can start.
import type { Aws } from '../aws.ts'
import { type Consumer, createConsumer } from './consumer.ts'
import type { ConsumerConfig } from './consumer-config.ts'
import type { HandlerDeps } from './handlers/handler.ts'
import { bindHandler } from './handlers/index.ts'
import type { Handler } from './queue.ts'
import { createSqsQueue } from './sqs-queue.ts'

export interface BuildDeps extends HandlerDeps {
  readonly aws: Pick<Aws, 'sqs' | 'queueUrl'>
  readonly random: () => number
  readonly observe: Parameters<typeof createConsumer>[0]['observe']
  /** Instead of the handler that the configuration names. */
  readonly handler?: Handler | undefined
}

/** Rejects with HANDLER_INVALID where the handler cannot be loaded. Nothing is received before start. */
export async function buildConsumer(config: ConsumerConfig, deps: BuildDeps): Promise<Consumer> {
  const { queue: name, deadLetterQueue, handler, ...options } = config
  const visibilityTimeoutSeconds = Math.ceil(options.visibilityTimeout / 1_000)
  const toQueue = (queue: string) =>
    createSqsQueue({
      ...deps,
      name: queue,
      visibilityTimeoutSeconds,
      ...(deadLetterQueue === undefined ? {} : { deadLetterName: deadLetterQueue }),
    })
  const bound = deps.handler ? { handle: deps.handler } : await bindHandler(handler, deps)
  const overflow = options.sideline ? { overflow: toQueue(options.sideline.queue) } : {}
  const consumer = createConsumer({ ...deps, ...overflow, queue: toQueue(name), handler: bound.handle, options })
  return {
    ...consumer,
    async stop() {
      await consumer.stop()
      await bound.stop?.()
    },
  }
}
