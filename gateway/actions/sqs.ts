// Sends the rule's result to an SQS queue, ten to a call. FIFO queues and message groups go beyond what AWS's rule action can do.
import { SendMessageBatchCommand } from '@aws-sdk/client-sqs'
import { z } from 'zod'
import { outcomesOf } from '../aws/batch-answers.ts'
import { bytesOf } from '../message/body.ts'
import type { ActionDeps, ActionKind, Delivery, Done, Target } from './action.ts'
import { targetName, toActionError, toEntryError } from './aws-errors.ts'
import { type Batcher, type BatchLimits, createBatcher } from './batch.ts'
import { createBatchers } from './batchers.ts'
import { createPacks } from './packs.ts'
import { isTemplate, localOnly, oncePerDelivery, patternOf, roleArn } from './params.ts'
import { bindQueueUrl, fixesHost } from './queue-url.ts'
import { checkedSize, type SqsEntry, sqsMaxBytes, toEntry, toFifoEntry } from './sqs-entry.ts'
import { toBase64, toText } from './text.ts'

const params = z
  .strictObject({
    queueUrl: z
      .string()
      .min(1)
      .refine(
        fixesHost,
        'must start with text that fixes the host, such as `telemetry-${…}` or `https://sqs.<region>.amazonaws.com/<account>/${…}`',
      )
      .describe(
        'name of the queue, or its URL at SQS or the configured endpoint; a template such as `telemetry-${topic(3)}` picks one per message, and starts with a part of the name, or with scheme and host',
      ),
    useBase64: z.boolean().default(false).describe('send the body as base64 text, for bodies that are not text'),
    roleArn,
    groupId: localOnly(
      z.string().min(1).optional(),
      'FIFO queue: what is kept in order, the message group. Standard queue: the tenant, for fair queues. A template such as `${topic(3)}`',
    ),
    pack: localOnly(
      z
        .strictObject({
          maxBytes: z
            .number()
            .int()
            .min(1_024)
            .max(1_000_000)
            .default(65_536)
            .describe('a pack is closed before it would grow over this; SQS bills each 64 KiB as a request'),
          lingerMs: z.number().int().min(0).max(60_000).default(100).describe('milliseconds a reading waits for others'),
        })
        .optional(),
      'put many readings into one message, which divides the price and the work per reading; consumers must unpack. Not for FIFO queues',
    ),
  })
  .refine(({ queueUrl, pack }) => pack === undefined || !isFifo(queueUrl), {
    path: ['pack'],
    error: 'a FIFO queue sends one message of a group after another, so there is nothing to pack',
  })
  .refine(({ queueUrl, groupId }) => groupId !== undefined || isTemplate(queueUrl) || !isFifo(queueUrl), {
    path: ['groupId'],
    error: 'a FIFO queue needs a groupId that says what is kept in order, for example "${topic(5)}"',
  })

/** [AWS sqs-quotas] 10 entries, 1 MiB of bodies and attributes together. */
const limits: BatchLimits = { maxEntries: 10, maxBytes: sqsMaxBytes, maxCalls: 16, lingerMs: 5, eager: true }

export const sqs = {
  summary: 'Send the result to an SQS queue.',
  params,
  bind(params, deps): Target {
    const groupOf = params.groupId === undefined ? undefined : deps.template(params.groupId)
    const urlOf = oncePerDelivery(bindQueueUrl(params.queueUrl, deps))
    const write = params.useBase64 ? toBase64 : toText
    const batchers = createBatchers((url) => createQueueBatcher(url, deps))
    const packs = params.pack && createPacks(params.pack, { clock: deps.clock, queueOf: batchers.of, grouped: groupOf !== undefined })
    const add = (delivery: Delivery, signal: AbortSignal, done: Done) => {
      const url = urlOf(delivery)
      const parts = write(delivery.body)
      const group = groupOf?.(delivery)
      if (packs && !isFifo(url)) return packs.of(url, group).add(delivery.key, parts, signal, done)
      const body = bytesOf(parts)
      const entry = (isFifo(url) ? toFifoEntry : toEntry)(body.toString(), delivery.key, group)
      batchers.of(url).add(entry, checkedSize(body.length, entry, url), signal, done)
    }
    return {
      action: 'sqs',
      deliver(delivery, signal, done) {
        try {
          add(delivery, signal, done)
        } catch (error) {
          done(error)
        }
      },
      async stop() {
        await packs?.drained()
        await batchers.drained()
      },
      targetOf: urlOf,
      ...patternOf(params.queueUrl),
      ...(mayBeFifo(params.queueUrl) && {
        orderOf(delivery: Delivery) {
          const queue = urlOf(delivery)
          return isFifo(queue) ? `${queue} ${groupOf?.(delivery)}` : undefined
        },
      }),
    }
  },
} satisfies ActionKind<z.infer<typeof params>>

function createQueueBatcher(url: string, { aws, clock }: ActionDeps): Batcher<SqsEntry> {
  const blamed = { action: 'sqs', target: targetName(url), isReady: () => aws.isReady }
  return createBatcher<SqsEntry>({
    ...limits,
    clock,
    async send(entries) {
      for (let i = 0; i < entries.length; i++) entries[i]!.Id = String(i)
      const command = new SendMessageBatchCommand({ QueueUrl: url, Entries: [...entries] })
      const answer = await aws.sqsSender.send(command).catch((error) => {
        throw toActionError(error, blamed)
      })
      return outcomesOf(answer, entries.length, (entry) => toEntryError(entry, blamed))
    },
  })
}

function isFifo(queueUrl: string): boolean {
  return queueUrl.endsWith('.fifo')
}

function mayBeFifo(queueUrl: string): boolean {
  return isTemplate(queueUrl) || isFifo(queueUrl)
}
