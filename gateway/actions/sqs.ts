// The sqs action sends the rule's result to an SQS queue, ten messages a call. FIFO queues and message groups exceed AWS's rule action.
import { SendMessageBatchCommand } from '@aws-sdk/client-sqs'
import { z } from 'zod'
import { outcomesOf } from '../aws/batch-answers.ts'
import { bytesOf } from '../message/body.ts'
import { type ActionDeps, type ActionKind, type BoundAction, type Delivery, type Done, toGatewayError } from './action.ts'
import { targetName, toActionError, toEntryError } from './aws-errors.ts'
import { type Batcher, type BatchLimits, createBatcher } from './batch.ts'
import { createBatchers } from './batchers.ts'
import { given, nameIn, toBoolean } from './cloudformation.ts'
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
        'The name of the queue, or its URL at SQS or the configured endpoint. A template such as `telemetry-${topic(3)}` picks one queue per message. It must start with a part of the name, or with scheme and host.',
      ),
    useBase64: z.boolean().default(false).describe('Send the body as base64 text, for bodies that are not text.'),
    roleArn,
    groupId: localOnly(
      z.string().min(1).optional(),
      'FIFO queue: the message group, which is delivered in order. Standard queue: the tenant, for fair queues. May be a template such as `${topic(3)}`.',
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
            .describe('The largest pack in bytes. SQS bills each 64 KiB as a request.'),
          lingerMs: z.number().int().min(0).max(60_000).default(100).describe('Milliseconds that a reading waits for others.'),
        })
        .optional(),
      'Put many readings into one message, which divides the price and the work per reading. Consumers must unpack. Not for FIFO queues.',
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

type Params = z.infer<typeof params>

export const sqs = {
  summary: 'Send the result to an SQS queue.',
  noun: 'queue',
  params,
  target: ({ queueUrl }) => ({ param: 'queueUrl', text: queueUrl }),
  fromCloudFormation: {
    name: 'Sqs',
    params({ QueueUrl, UseBase64 }) {
      const queueUrl = nameIn(QueueUrl)
      if (isFifo(queueUrl)) return "AWS's SQS action cannot send to a FIFO queue"
      return { queueUrl, ...given({ useBase64: toBoolean(UseBase64) }) }
    },
  },
  bind: bindSqs,
} as const satisfies ActionKind<Params>

/** [AWS sqs-quotas] 10 entries, 1 MiB of bodies and attributes together. */
const limits: BatchLimits = { maxEntries: 10, maxBytes: sqsMaxBytes, maxCalls: 16, lingerMs: 5, eager: true }

function bindSqs({ queueUrl, useBase64, groupId, pack }: Params, deps: ActionDeps): BoundAction {
  const groupOf = groupId === undefined ? undefined : deps.template(groupId)
  const urlOf = oncePerDelivery(bindQueueUrl(queueUrl, deps))
  const write = useBase64 ? toBase64 : toText
  const batchers = createBatchers((url) => createQueueBatcher(url, deps))
  const packs = pack && createPacks(pack, { clock: deps.clock, queueOf: batchers.of, grouped: groupOf !== undefined })
  const add = (delivery: Delivery, signal: AbortSignal, done: Done) => {
    const url = urlOf(delivery)
    const parts = write(delivery.body)
    const group = groupOf?.(delivery)
    if (packs && !isFifo(url)) return packs.of(url, group).add(delivery.key, parts, signal, done)
    const body = bytesOf(parts)
    const entry = (isFifo(url) ? toFifoEntry : toEntry)(body.toString(), delivery.key, group)
    batchers.of(url).add(entry, checkedSize(body.length, entry, url), signal, done)
  }
  const orderOf = (delivery: Delivery) => {
    const url = urlOf(delivery)
    return isFifo(url) ? `${url} ${groupOf?.(delivery)}` : undefined
  }
  return {
    action: 'sqs',
    deliver(delivery, signal, done) {
      try {
        add(delivery, signal, done)
      } catch (error) {
        done(toGatewayError(error))
      }
    },
    async stop() {
      await packs?.drained()
      await batchers.drained()
    },
    targetOf: urlOf,
    ...patternOf(queueUrl),
    ...((isTemplate(queueUrl) || isFifo(queueUrl)) && { orderOf }),
  }
}

function createQueueBatcher(url: string, { aws, clock }: ActionDeps): Batcher<SqsEntry> {
  const blamed = { action: 'sqs', noun: sqs.noun, target: targetName(url), isReady: () => aws.isReady }
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
