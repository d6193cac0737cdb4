// A synthesized CloudFormation template as far as the doctor reads it: its queues, and its topic rules to compare with the rule files.
import { z } from 'zod'
import { type QueueFacts, sqsMessageBytes } from './queues.ts'

export interface TemplateRule {
  readonly file: string
  readonly field: string
  readonly name: string | undefined
  readonly sql: unknown
  readonly hasErrorAction: boolean
}

export const templateSchema = z.object({
  Resources: z.record(z.string(), z.object({ Type: z.string(), Properties: z.record(z.string(), z.unknown()).default({}) })),
})

type Template = z.infer<typeof templateSchema>
type Entry = readonly [id: string, properties: Readonly<Record<string, unknown>>]

export function readTemplate(
  file: string,
  { Resources }: Template,
): { readonly queues: readonly QueueFacts[]; readonly rules: readonly TemplateRule[] } {
  const of = (type: string) =>
    Object.entries(Resources).flatMap(([id, { Type, Properties }]): Entry[] => (Type === type ? [[id, Properties]] : []))
  const queues = of('AWS::SQS::Queue')
  return {
    queues: queues.map((entry) => queueOf(file, entry, queues)),
    rules: of('AWS::IoT::TopicRule').map((entry) => ruleOf(file, entry)),
  }
}

type RedrivePolicy = { readonly deadLetterTargetArn?: unknown; readonly maxReceiveCount?: unknown } | null | undefined

function queueOf(file: string, [id, properties]: Entry, all: readonly Entry[]): QueueFacts {
  const { QueueName, FifoQueue, RedrivePolicy: redrive } = properties
  const policy = redrive as RedrivePolicy
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
    isDeadLetterQueue: all.some(([, { RedrivePolicy: other }]) => logicalIdIn((other as RedrivePolicy)?.deadLetterTargetArn) === id),
  }
}

function ruleOf(file: string, [id, { RuleName, TopicRulePayload }]: Entry): TemplateRule {
  const { Sql, ErrorAction } = (TopicRulePayload ?? {}) as { readonly Sql?: unknown; readonly ErrorAction?: unknown }
  const name = typeof RuleName === 'string' ? RuleName : undefined
  return { file, field: `Resources.${id}`, name, sql: Sql, hasErrorAction: ErrorAction !== undefined }
}

/** `{ "Fn::GetAtt": ["Id", "Arn"] }` or `"Id.Arn"`. */
function logicalIdIn(value: unknown): string | undefined {
  const attribute = (value as { readonly 'Fn::GetAtt'?: unknown } | undefined | null)?.['Fn::GetAtt']
  const [id] = Array.isArray(attribute) ? attribute : typeof attribute === 'string' ? attribute.split('.') : []
  return typeof id === 'string' ? id : undefined
}

const isTrue = (value: unknown) => value === true || value === 'true'
const number = (value: unknown, otherwise: number) => (value === undefined || Number.isNaN(Number(value)) ? otherwise : Number(value))
