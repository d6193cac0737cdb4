// What one consumer may be told: queue, handler, pace, fairness and failure, each with a default that works.
import { z } from 'zod'
import { parseDuration, parseRate } from '../../lib/units.ts'
import { handlerSchema } from './handlers/index.ts'

const duration = (fallback: string) =>
  z
    .string()
    .transform((text, context) => {
      const ms = parseDuration(text)
      if (ms !== undefined && ms > 0) return ms
      context.issues.push({ code: 'custom', input: text, message: 'is not a duration such as `500ms`, `10s` or `5m`' })
      return z.NEVER
    })
    .prefault(fallback)

const rate = z.string().transform((text, context) => {
  const perSecond = parseRate(text)
  if (perSecond !== undefined && perSecond > 0) return perSecond
  context.issues.push({ code: 'custom', input: text, message: 'is not a rate such as `50/s` or `10/m`' })
  return z.NEVER
})

const count = (max: number) => z.number().int().min(1).max(max)

const perTenantSchema = z.strictObject({
  rate: rate.optional().describe('most messages a second of one tenant, such as `20/s`; none: no limit of its own'),
  concurrency: count(1_000).optional().describe('most messages of one tenant handled at once; none: no limit of its own'),
  weights: z
    .record(z.string(), z.number().min(0.01).max(100))
    .default({})
    .describe('share of a tenant relative to the others while there is not enough for all; 1 where not named'),
  known: z
    .array(z.string().min(1))
    .default([])
    .describe(
      'tenants that always have an account of their own: fair lane, limits and counters; so do those in `weights`, and in a gateway those of things.json',
    ),
  accounts: count(100_000)
    .default(1_000)
    .describe('further tenants with an account of their own, the first ones seen; the rest share the account `(others)`'),
})

const sidelineSchema = z.strictObject({
  queue: z.string().min(1).describe('the overflow queue: a standard queue nothing else reads'),
  inHand: count(1_000)
    .optional()
    .describe('how many messages of one tenant may wait in the consumer; the excess goes to the overflow queue'),
  olderThan: duration('24h').describe('messages older than this go to the overflow queue, so that fresh ones come first'),
  returnRate: rate
    .optional()
    .describe('most messages a second that come back from the overflow queue; they only come when nothing fresh waits'),
})

const slowDownSchema = z.strictObject({
  failureShare: z.number().min(0.01).max(1).default(0.3).describe('share of retryable failures in a window that halves the pace'),
  latency: duration('1h').describe('mean handling time in a window that halves the pace'),
  window: duration('1s').describe('how long outcomes are gathered before the pace changes'),
})

export const consumerSchema = z
  .strictObject({
    queue: z.string().min(1).describe('name or URL of the queue'),
    deadLetterQueue: z
      .string()
      .min(1)
      .optional()
      .describe("where messages go that cannot be handled; default: the target of the queue's RedrivePolicy, or `<queue>-dlq` without one"),
    handler: handlerSchema.describe('what is done with each message'),
    rate: rate.optional().describe('most messages handled a second, in total, such as `50/s`; none: as fast as the handler is'),
    concurrency: count(1_000).default(10).describe('most messages handled at once'),
    receivers: count(20).default(4).describe('most receives under way at once; an empty queue gets one'),
    prefetch: count(10_000)
      .optional()
      .describe(
        'most messages waiting in the consumer; default twice the concurrency, at least 20, and 10 for each receiver where there is a sideline',
      ),
    wait: duration('5s').describe('how long a receive waits for a first message (SQS: up to 20s); a stop may take as long'),
    visibilityTimeout: duration('30s').describe('how long a message is kept from others; prolonged at half of it while it is in hand'),
    handlerTimeout: duration('60s').describe('a handler that takes longer is aborted and the message tried again'),
    stopTimeout: duration('20s').describe('how long stopping waits for handlers before it aborts them'),
    maxReceives: count(1_000).default(5).describe('tries before a failing message goes to the dead-letter queue'),
    retry: z
      .strictObject({
        base: duration('1s').describe('upper bound of the wait before the second try; doubles with each'),
        cap: duration('5m').describe('the wait never exceeds this'),
      })
      .prefault({})
      .describe('how long a failed message waits: full jitter'),
    fairness: z.boolean().default(true).describe('a lane for each tenant, served in turn; false: first come, first served'),
    perTenant: perTenantSchema.prefault({}).describe('limits and weights of single tenants; on a FIFO queue, of single message groups'),
    slowDown: slowDownSchema.prefault({}).describe('when to take pressure off whatever the handler talks to'),
    sideline: sidelineSchema.optional().describe("keeps a noisy tenant's backlog from standing in front of everybody"),
  })
  .superRefine((config, context) => {
    const problem = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message })
    if (config.visibilityTimeout < 2_000 || config.visibilityTimeout > 43_200_000)
      problem('visibilityTimeout', 'must be between 2s and 12h')
    if (config.handlerTimeout > 43_200_000) problem('handlerTimeout', 'must be at most 12h: SQS gives no message away for longer')
    if (config.wait > 20_000) problem('wait', 'must be at most 20s, as in SQS')
    if (config.sideline && config.queue.endsWith('.fifo')) problem('sideline', 'would break the order of a FIFO queue')
  })

export type ConsumerConfig = z.output<typeof consumerSchema>

/** Everything of the configuration that is not about building the parts. */
export type ConsumerOptions = Omit<ConsumerConfig, 'queue' | 'deadLetterQueue' | 'handler'>
