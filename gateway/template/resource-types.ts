// The resource types that are run here: what each adds to the gateway's configuration.
import { parsePolicyDocument } from '../access/policy-document.ts'
import { targetName } from '../actions/aws-errors.ts'
import { given, toBoolean } from '../actions/cloudformation.ts'
import { GatewayError } from '../errors.ts'
import type { ResourcesInput } from '../local/resources.ts'
import { localActions, translateAction } from './actions.ts'

export type Values = Readonly<Record<string, unknown>>
export type Queues = Record<string, NonNullable<ResourcesInput['queues']>[string]>
type SubscriptionInput = NonNullable<NonNullable<ResourcesInput['topics']>[string]['queues']>[number]
export type Topics = Record<string, { queues: SubscriptionInput[] }>

/** `run`; `ignored`: nothing is missed; `unsupported`: something is. */
export type Fate = 'run' | 'ignored' | 'unsupported'

/** What the template has become so far. */
export interface Draft {
  readonly rules: Record<string, Values>
  readonly queues: Queues
  readonly topics: Topics
  readonly policies: Record<string, unknown>
  readonly consumed: string[]
  /** By function: what does its work here. */
  readonly standIns: Map<string, string>
  note(fate: Fate, text: string): void
}

/** One resource, with every intrinsic function in its properties answered. */
export interface Resolved {
  readonly name: string
  readonly values: Values
  readonly metadata: Values
}

export const resourceTypes: Readonly<Record<string, (resource: Resolved, draft: Draft) => void>> = {
  'AWS::SQS::Queue'({ name, values }, { queues, note }) {
    queues[name] = toQueue(name, values)
    note('run', `queue ${name}`)
    for (const property of Object.keys(values))
      if (!queueProperties.has(property)) note('unsupported', `ignored: queue ${name}, property ${property} is not supported`)
  },
  'AWS::SNS::Topic'({ name, values: { FifoTopic, Subscription = [] } }, draft) {
    if (toBoolean(FifoTopic)) return draft.note('unsupported', `topic ${name}: FIFO topics, as no rule can publish to them`)
    draft.topics[name] ??= { queues: [] }
    draft.note('run', `topic ${name}`)
    for (const entry of Subscription as Values[]) subscribe(name, entry, draft)
  },
  'AWS::SNS::Subscription'({ values: { TopicArn, ...values } }, draft) {
    subscribe(targetName(String(TopicArn)), values, draft)
  },
  'AWS::IoT::Policy'({ name, values: { PolicyDocument } }, { policies, note }) {
    policies[name] = parsePolicyDocument(jsonOf(PolicyDocument, `policy ${name}`), `policy ${name}`)
    note('run', `policy ${name}`)
  },
  'AWS::IoT::TopicRule'({ name, values: { TopicRulePayload }, metadata }, draft) {
    draft.note('run', `rule ${name}`)
    draft.rules[name] = toRule(name, (TopicRulePayload ?? {}) as Values, (metadata[localActions] ?? {}) as Values, draft)
  },
  'AWS::Lambda::EventSourceMapping'({ values: { EventSourceArn, FunctionName } }, { consumed, standIns, note }) {
    if (!String(EventSourceArn).includes(':sqs:'))
      return note('unsupported', `event source ${EventSourceArn}: not an SQS queue; only arn:aws:sqs:… is run here`)
    const queue = targetName(String(EventSourceArn))
    consumed.push(queue)
    standIns.set(targetName(String(FunctionName)), `a consumer of the gateway takes from ${queue}`)
    note('run', `a consumer takes from ${queue}, and its function is not called`)
  },
}

/** Heeded, or of no consequence here. */
const queueProperties = new Set([
  ...[
    'QueueName',
    'FifoQueue',
    'VisibilityTimeout',
    'MessageRetentionPeriod',
    'DelaySeconds',
    'ContentBasedDeduplication',
    'RedrivePolicy',
  ],
  ...['SqsManagedSseEnabled', 'KmsMasterKeyId', 'KmsDataKeyReusePeriodSeconds', 'RedriveAllowPolicy', 'Tags', 'FifoThroughputLimit'],
  // The gateway's ids are unique in every group, so the scope of deduplication changes nothing; consumers say how long they wait.
  ...['DeduplicationScope', 'ReceiveMessageWaitTimeSeconds'],
])

function toQueue(name: string, values: Values): Queues[string] {
  const { VisibilityTimeout, MessageRetentionPeriod, DelaySeconds, ContentBasedDeduplication, RedrivePolicy } = values
  const number = (value: unknown) => (value === undefined ? undefined : Number(value))
  const redrive = jsonOf(RedrivePolicy, `queue ${name}: RedrivePolicy`) as Values | undefined
  return given({
    visibilityTimeoutSeconds: number(VisibilityTimeout),
    retentionSeconds: number(MessageRetentionPeriod),
    delaySeconds: number(DelaySeconds),
    contentBasedDeduplication: toBoolean(ContentBasedDeduplication),
    deadLetterQueue: redrive ? targetName(String(redrive.deadLetterTargetArn)) : false,
    maxReceiveCount: number(redrive?.maxReceiveCount),
  }) as Queues[string]
}

function subscribe(topic: string, { Protocol, Endpoint, ...values }: Values, { topics, note }: Draft): void {
  if (Protocol !== 'sqs') {
    note('unsupported', `${topic} → ${String(Protocol)}: only sqs is delivered to`)
    return
  }
  const { RawMessageDelivery, FilterPolicy, FilterPolicyScope } = values
  const queue = targetName(String(Endpoint))
  const filterPolicy = jsonOf(FilterPolicy, `${topic} → ${queue}: FilterPolicy`)
  topics[topic] ??= { queues: [] }
  topics[topic].queues.push({
    queue,
    raw: toBoolean(RawMessageDelivery) ?? false,
    ...given({ filterPolicy, filterPolicyScope: FilterPolicyScope }),
  })
  note('run', `${topic} → queue ${queue}${filterPolicy === undefined ? '' : ', filtered'}`)
}

/** What the metadata has `instead` of an action is run; an action that cannot be is left out, and named. */
function toRule(name: string, payload: Values, instead: Values, { standIns, note }: Draft): Values {
  const translated = (entry: Values, at: string, own: unknown) => {
    const result = translateAction(entry, own)
    const functionArn = (entry.Lambda as Values | undefined)?.FunctionArn
    if (own !== undefined && functionArn !== undefined)
      standIns.set(targetName(String(functionArn)), `the gateway does what it does for the rule ${name}`)
    if ('action' in result) return [result.action]
    note('unsupported', `rule ${name}: ${at}: ${result.unsupported}`)
    return []
  }
  if (typeof payload.Sql !== 'string') throw new GatewayError('CONFIG_INVALID', `rule ${name}: TopicRulePayload.Sql is missing`)
  const actions = (payload.Actions ?? []) as readonly Values[]
  const errorAction = payload.ErrorAction as Values | undefined
  return given({
    name,
    description: payload.Description,
    sql: payload.Sql,
    awsIotSqlVersion: payload.AwsIotSqlVersion,
    ruleDisabled: toBoolean(payload.RuleDisabled),
    actions: actions.flatMap((entry, index) => translated(entry, `actions[${index}]`, instead[index])),
    errorAction: errorAction && translated(errorAction, 'errorAction', undefined)[0],
  })
}

/** Some properties take an object or its JSON. */
function jsonOf(value: unknown, at: string): unknown {
  if (typeof value !== 'string') return value
  try {
    return JSON.parse(value)
  } catch {
    throw new GatewayError('CONFIG_INVALID', `${at}: is not JSON`)
  }
}
