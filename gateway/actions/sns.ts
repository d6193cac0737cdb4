// The sns action publishes the rule's result to an SNS topic, ten messages a call.
import { PublishBatchCommand, type PublishBatchRequestEntry, SNSClient } from '@aws-sdk/client-sns'
import { z } from 'zod'
import { outcomesOf } from '../aws/batch-answers.ts'
import { GatewayError } from '../errors.ts'
import { bytesOf } from '../message/body.ts'
import { type ActionDeps, type ActionKind, type BoundAction, fromPromise, toPromise } from './action.ts'
import { targetName, toActionError, toEntryError } from './aws-errors.ts'
import { type Batcher, type BatchLimits, createBatcher } from './batch.ts'
import { createBatchers } from './batchers.ts'
import { given, nameIn } from './cloudformation.ts'
import { localOnly, oncePerDelivery, patternOf, roleArn } from './params.ts'
import { toText } from './text.ts'

const params = z.strictObject({
  targetArn: z
    .string()
    .min(1)
    .refine((topic) => !topic.endsWith('.fifo'), 'FIFO topics are not supported, as on AWS')
    .describe('The name or ARN of the topic. May be a template.'),
  messageFormat: z
    .enum(['RAW', 'JSON'])
    .default('RAW')
    .describe('`JSON`: the result is an object from protocol to text, with at least the key `default`.'),
  roleArn,
  attributes: localOnly(
    z
      .record(z.string().regex(/^[\w.-]{1,256}$/), z.string())
      .refine((attributes) => Object.keys(attributes).length <= 9, 'at most 9 attributes: SNS takes 10, and `messageId` is one')
      .optional(),
    'Message attributes for subscription filters, name to value. Values may be templates.',
  ),
})

type Params = z.infer<typeof params>

export const sns = {
  summary: 'Publish the result to an SNS topic.',
  noun: 'topic',
  params,
  target: ({ targetArn }) => ({ param: 'targetArn', text: targetArn }),
  fromCloudFormation: {
    name: 'Sns',
    params: ({ TargetArn, MessageFormat }) => ({ targetArn: nameIn(TargetArn), ...given({ messageFormat: MessageFormat }) }),
  },
  bind: bindSns,
} as const satisfies ActionKind<Params>

/** [AWS sns-quotas] 10 entries, 256 KiB of messages and attributes together. */
const maxBytes = 262_144
const limits: BatchLimits = { maxEntries: 10, maxBytes, maxCalls: 4, lingerMs: 10, eager: true }

type Entry = Omit<PublishBatchRequestEntry, 'Id'>

function bindSns({ targetArn, messageFormat, attributes = {} }: Params, deps: ActionDeps): BoundAction {
  const topicOf = oncePerDelivery(deps.template(targetArn))
  const templates = Object.entries(attributes).map(([name, value]) => [name, deps.template(value)] as const)
  const batchers = createBatchers((arn) => createTopicBatcher(arn, deps))
  return {
    action: 'sns',
    deliver: fromPromise(async (delivery, signal) => {
      const arn = deps.aws.topicArn(checkedTopic(topicOf(delivery)))
      const Message = bytesOf(toText(delivery.body)).toString()
      const values = [['messageId', delivery.key], ...templates.map(([name, value]) => [name, value(delivery)])] as const
      const bytes = sizeOf(Message, values)
      if (bytes > maxBytes) throw tooLarge(bytes, targetName(arn))
      const MessageAttributes = Object.fromEntries(values.map(([name, value]) => [name, { DataType: 'String', StringValue: value }]))
      const entry = { Message, MessageAttributes, ...(messageFormat === 'JSON' && { MessageStructure: 'json' }) }
      await toPromise((done) => batchers.of(arn).add(entry, bytes, signal, done))
    }),
    stop: () => batchers.drained(),
    targetOf: topicOf,
    ...patternOf(targetArn),
  }
}

function createTopicBatcher(arn: string, { aws, clock }: ActionDeps): Batcher<Entry> {
  const blamed = { action: 'sns', noun: sns.noun, target: targetName(arn), isReady: () => aws.isReady }
  return createBatcher<Entry>({
    ...limits,
    clock,
    async send(entries) {
      const PublishBatchRequestEntries = entries.map((entry, index) => ({ Id: String(index), ...entry }))
      const command = new PublishBatchCommand({ TopicArn: arn, PublishBatchRequestEntries })
      const answer = await aws
        .client(SNSClient)
        .send(command)
        .catch((error) => {
          throw toActionError(error, blamed)
        })
      return outcomesOf(answer, entries.length, (entry) => toEntryError(entry, blamed))
    },
  })
}

/** Throws ACTION_REFUSED for a name that SNS does not allow [AWS CreateTopic]. */
function checkedTopic(nameOrArn: string): string {
  const name = nameOrArn.replace(/^arn:aws[\w-]*:sns:[\w-]+:\d{12}:/, '')
  if (/^[\w-]{1,256}$/.test(name)) return nameOrArn
  throw new GatewayError('ACTION_REFUSED', 'targetArn: the template made a name that no SNS topic can have', {
    details: { action: 'sns', target: targetName(name).slice(0, 256) },
  })
}

function sizeOf(message: string, attributes: readonly (readonly string[])[]): number {
  let bytes = Buffer.byteLength(message)
  for (const [name = '', value = ''] of attributes) bytes += name.length + 'String'.length + Buffer.byteLength(value)
  return bytes
}

function tooLarge(bytes: number, target: string): GatewayError {
  const text = `the message has ${bytes} bytes with its attributes, and SNS takes at most ${maxBytes}`
  return new GatewayError('BODY_TOO_LARGE', text, { details: { action: 'sns', target } })
}
