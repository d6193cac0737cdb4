// A synthesized CloudFormation template as far as the doctor reads it: its queues, and its topic rules to compare with the rule files.
import { type QueueFacts, sqsMessageBytes } from './queues.ts'

export interface TemplateRule {
  readonly file: string
  readonly field: string
  readonly name: string | undefined
  readonly sql: unknown
  readonly hasErrorAction: boolean
}

interface Resource {
  readonly Type?: string
  readonly Properties?: Readonly<Record<string, unknown>>
}

type Entry = readonly [id: string, properties: Readonly<Record<string, unknown>>]

/** Anything that is not a template has no resources, and says so. */
export function readTemplate(
  file: string,
  json: unknown,
): { readonly queues: readonly QueueFacts[]; readonly rules: readonly TemplateRule[] } {
  const resources = (json as { readonly Resources?: Readonly<Record<string, Resource>> } | undefined)?.Resources ?? {}
  const of = (type: string) =>
    Object.entries(resources).flatMap(([id, { Type, Properties = {} }]): Entry[] => (Type === type ? [[id, Properties]] : []))
  const queues = of('AWS::SQS::Queue')
  return {
    queues: queues.map((entry) => queueOf(file, entry, queues)),
    rules: of('AWS::IoT::TopicRule').map((entry) => ruleOf(file, entry)),
  }
}

function queueOf(file: string, [id, properties]: Entry, all: readonly Entry[]): QueueFacts {
  const { QueueName, FifoQueue, RedrivePolicy } = properties
  const policy = RedrivePolicy as { readonly deadLetterTargetArn?: unknown; readonly maxReceiveCount?: number } | undefined
  const target = logicalIdIn(policy?.deadLetterTargetArn)
  const deadLetters = all.find(([other]) => other === target)
  return {
    file,
    field: `Resources.${id}`,
    name: typeof QueueName === 'string' ? QueueName : id,
    fifo: isTrue(FifoQueue),
    retentionSeconds: number(properties.MessageRetentionPeriod, 345_600),
    visibilityTimeoutSeconds: number(properties.VisibilityTimeout, 30),
    maximumMessageSize: number(properties.MaximumMessageSize, sqsMessageBytes),
    contentBasedDeduplication: isTrue(properties.ContentBasedDeduplication),
    ...(policy && {
      redrive: {
        deadLetterQueue: target ?? 'a queue outside the template',
        maxReceiveCount: number(policy.maxReceiveCount, 10),
        ...(deadLetters && { retentionSeconds: number(deadLetters[1].MessageRetentionPeriod, 345_600) }),
      },
    }),
    isDeadLetterQueue: all.some(([, { RedrivePolicy: other }]) => logicalIdIn((other as typeof policy)?.deadLetterTargetArn) === id),
  }
}

function ruleOf(file: string, [id, { RuleName, TopicRulePayload }]: Entry): TemplateRule {
  const { Sql, ErrorAction } = (TopicRulePayload ?? {}) as { readonly Sql?: unknown; readonly ErrorAction?: unknown }
  const name = typeof RuleName === 'string' ? RuleName : undefined
  return { file, field: `Resources.${id}`, name, sql: Sql, hasErrorAction: ErrorAction !== undefined }
}

/** `{ "Fn::GetAtt": ["Id", "Arn"] }` or `"Id.Arn"`. */
function logicalIdIn(value: unknown): string | undefined {
  const attribute = (value as { readonly 'Fn::GetAtt'?: string | readonly string[] } | undefined)?.['Fn::GetAtt']
  return typeof attribute === 'string' ? attribute.split('.')[0] : attribute?.[0]
}

const isTrue = (value: unknown) => value === true || value === 'true'
const number = (value: unknown, otherwise: number) => (value === undefined || Number.isNaN(Number(value)) ? otherwise : Number(value))
