// From the configuration of one consumer to the consumer, with its queues and its handler.
import type { Clock } from '../../lib/clock.ts'
import { printableText } from '../../lib/printable.ts'
import type { Aws } from '../aws/clients.ts'
import type { Observe } from '../observe/observe.ts'
import { type Consumer, createConsumer } from './consumer.ts'
import type { ConsumerConfig } from './consumer-config.ts'
import { bindHandler } from './handlers/index.ts'
import { partsOf } from './parts.ts'
import type { Handler } from './queue.ts'
import { findDeadLetterQueue } from './redrive.ts'
import { createSqsQueue } from './sqs-queue.ts'

export interface BuildDeps {
  readonly aws: Pick<Aws, 'sqs' | 'queueUrl'>
  readonly clock: Clock
  readonly random: () => number
  readonly observe: Observe
  readonly fetch: typeof fetch
  /** Takes the place of the configured handler. */
  readonly handler?: Handler | undefined
  /** Where the `log` handler prints to. */
  readonly print?: (line: string) => void
  /** What the paths of handlers are relative to. */
  readonly directory?: string
  /** A tenant known from an identity always has an account of its own. */
  readonly isKnownTenant?: (tenant: string) => boolean
}

/** Rejects with HANDLER_INVALID where the handler cannot be had. Not started yet. */
export async function buildConsumer(config: ConsumerConfig, deps: BuildDeps): Promise<Consumer> {
  const { queue: name, deadLetterQueue, handler: handlerConfig, ...options } = config
  const { aws, clock, random, observe, fetch, print = printLine, directory = process.cwd(), isKnownTenant } = deps
  const handler = deps.handler ? { handle: deps.handler } : await bindHandler(handlerConfig, { clock, fetch, print, directory })
  const visibilityTimeoutSeconds = Math.ceil(options.visibilityTimeout / 1_000)
  const deadLetterName = deadLetterQueue ?? findDeadLetterQueue(aws, name)
  const queueNamed = (queue: string) => createSqsQueue({ aws, name: queue, deadLetterName, visibilityTimeoutSeconds, clock })
  const consumer = createConsumer({
    queue: queueNamed(name),
    ...(options.sideline ? { overflow: queueNamed(options.sideline.queue) } : {}),
    unpack: partsOf,
    handler: handler.handle,
    clock,
    random,
    observe,
    options,
    ...(isKnownTenant ? { isKnownTenant } : {}),
  })
  return {
    ...consumer,
    async stop() {
      await consumer.stop()
      await handler.stop?.()
    },
  }
}

function printLine(line: string): void {
  process.stdout.write(`${printableText(line)}\n`)
}
