// A CloudFormation template as what a gateway runs: rule files, queues and topics, policies; and a word on everything else in it.
import { parsePolicyDocument } from '../access/policy-document.ts'
import { GatewayError } from '../errors.ts'
import type { ResourcesInput } from '../local/resources.ts'
import { given, lastOf, toBoolean, translateAction } from './actions.ts'
import { whyHarmless } from './harmless.ts'
import { createResolver, nameOf, type Place, type Resource, type Template } from './intrinsics.ts'

/** What becomes of one resource, or of a part of one. */
export interface Finding {
  readonly id: string
  readonly type: string
  /** `run`; `ignored`: nothing is missed; `unsupported`: something is. */
  readonly fate: 'run' | 'ignored' | 'unsupported'
  readonly text: string
}

export interface Plan {
  /** By name: what a rule file says. */
  readonly rules: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly resources: Required<ResourcesInput>
  /** By name: IoT policy documents. */
  readonly policies: Readonly<Record<string, unknown>>
  /** Queues with a function behind them: a consumer of the gateway takes its place. */
  readonly consumed: readonly string[]
  readonly findings: readonly Finding[]
}

/** The key of a rule's metadata under which an action's index has what is run here in its place. */
export const localActions = 'weir:actions'

type Values = Readonly<Record<string, unknown>>
type QueueInput = NonNullable<ResourcesInput['queues']>[string]
type SubscriptionInput = NonNullable<NonNullable<ResourcesInput['topics']>[string]['queues']>[number]

/** Throws CONFIG_INVALID where a value of a resource that is run cannot be known. */
export function translate(template: Template, place: Place): Plan {
  const resolve = createResolver(template, place)
  const findings: Finding[] = []
  const rules: Record<string, Values> = {}
  const queues: Record<string, QueueInput> = {}
  const subscriptions: Record<string, SubscriptionInput[]> = {}
  const policies: Record<string, unknown> = {}
  const consumed: string[] = []
  /** Functions that something here stands in for, by name. */
  const replaced = new Map<string, string>()

  const subscribe = (id: string, type: string, topic: string, { Protocol, Endpoint, ...values }: Values) => {
    if (Protocol !== 'sqs')
      return findings.push({ id, type, fate: 'unsupported', text: `${topic} → ${String(Protocol)}: only sqs is delivered to` })
    const { RawMessageDelivery, FilterPolicy, FilterPolicyScope } = values
    const filterPolicy = typeof FilterPolicy === 'string' ? JSON.parse(FilterPolicy) : FilterPolicy
    subscriptions[topic] ??= []
    const more = given({ filterPolicy, filterPolicyScope: FilterPolicyScope }) as object
    subscriptions[topic].push({ queue: lastOf(Endpoint), raw: toBoolean(RawMessageDelivery) ?? false, ...more })
    const filtered = filterPolicy === undefined ? '' : ', filtered'
    return findings.push({ id, type, fate: 'run', text: `${topic} → queue ${lastOf(Endpoint)}${filtered}` })
  }

  const rows: Readonly<Record<string, (id: string, name: string, values: Values, resource: Resource) => void>> = {
    'AWS::SQS::Queue'(id, name, values) {
      queues[name] = toQueue(values)
      findings.push({ id, type: 'AWS::SQS::Queue', fate: 'run', text: `queue ${name}` })
      for (const property of Object.keys(values).filter((key) => !queueProperties.has(key)))
        findings.push({ id, type: 'AWS::SQS::Queue', fate: 'unsupported', text: `${property} of queue ${name} is not heeded` })
    },
    'AWS::SNS::Topic'(id, name, { FifoTopic, Subscription = [] }) {
      if (toBoolean(FifoTopic)) {
        findings.push({
          id,
          type: 'AWS::SNS::Topic',
          fate: 'unsupported',
          text: `topic ${name}: FIFO topics, as no rule can publish to them`,
        })
        return
      }
      subscriptions[name] ??= []
      findings.push({ id, type: 'AWS::SNS::Topic', fate: 'run', text: `topic ${name}` })
      for (const entry of Subscription as Values[]) subscribe(id, 'AWS::SNS::Subscription', name, entry)
    },
    'AWS::SNS::Subscription'(id, _, { TopicArn, ...values }) {
      subscribe(id, 'AWS::SNS::Subscription', lastOf(TopicArn), values)
    },
    'AWS::IoT::Policy'(id, name, { PolicyDocument }) {
      policies[name] = parsePolicyDocument(
        typeof PolicyDocument === 'string' ? JSON.parse(PolicyDocument) : PolicyDocument,
        `policy ${name}`,
      )
      findings.push({ id, type: 'AWS::IoT::Policy', fate: 'run', text: `policy ${name}` })
    },
    'AWS::IoT::TopicRule'(id, name, { TopicRulePayload }, { Metadata }) {
      const { rule, lost } = toRule(name, TopicRulePayload as Values, (Metadata?.[localActions] ?? {}) as Values, replaced)
      rules[name] = rule
      findings.push({ id, type: 'AWS::IoT::TopicRule', fate: 'run', text: `rule ${name}` })
      for (const text of lost) findings.push({ id, type: 'AWS::IoT::TopicRule', fate: 'unsupported', text })
    },
    'AWS::Lambda::EventSourceMapping'(id, _, { EventSourceArn, FunctionName }) {
      const queue = lastOf(EventSourceArn)
      if (!String(EventSourceArn).includes(':sqs:')) {
        findings.push({ id, type: 'AWS::Lambda::EventSourceMapping', fate: 'unsupported', text: `${queue} is no queue` })
        return
      }
      consumed.push(queue)
      replaced.set(lastOf(FunctionName), `a consumer of the gateway takes from ${queue}`)
      findings.push({
        id,
        type: 'AWS::Lambda::EventSourceMapping',
        fate: 'run',
        text: `a consumer takes from ${queue}, and its function is not called`,
      })
    },
  }

  const entries = Object.entries(template.Resources)
  for (const [id, resource] of entries) {
    const row = Object.hasOwn(rows, resource.Type) ? rows[resource.Type] : undefined
    if (!row) continue
    if (resource.Condition !== undefined)
      findings.push({
        id,
        type: resource.Type,
        fate: 'unsupported',
        text: `${id} is there whatever its condition ${resource.Condition} says`,
      })
    const values = resolve(resource.Properties ?? {}, `Resources.${id}.Properties`) as Values
    row(
      id,
      nameOf(id, resource, (value) => String(resolve(value, `Resources.${id}`))),
      values,
      resource,
    )
  }
  for (const [id, resource] of entries) {
    const { Type: type } = resource
    if (Object.hasOwn(rows, type)) continue
    const owner = type.startsWith('AWS::Lambda::') ? replaced.get(functionOf(id, resource, resolve)) : undefined
    const harmless = owner ?? whyHarmless(type)
    findings.push({ id, type, fate: harmless === undefined ? 'unsupported' : 'ignored', text: harmless ?? `${type} is not run here` })
  }
  const topics = Object.fromEntries(Object.entries(subscriptions).map(([name, queues]) => [name, { queues }]))
  return { rules, resources: { queues, topics }, policies, consumed, findings }
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
  // Ids of the gateway are unique in every group, so the scope of deduplication changes nothing.
  ...['DeduplicationScope', 'ReceiveMessageWaitTimeSeconds'],
])

function toQueue({
  VisibilityTimeout,
  MessageRetentionPeriod,
  DelaySeconds,
  ContentBasedDeduplication,
  RedrivePolicy,
}: Values): QueueInput {
  const number = (value: unknown) => (value === undefined ? undefined : Number(value))
  const redrive = (typeof RedrivePolicy === 'string' ? JSON.parse(RedrivePolicy) : RedrivePolicy) as Values | undefined
  return given({
    visibilityTimeoutSeconds: number(VisibilityTimeout),
    retentionSeconds: number(MessageRetentionPeriod),
    delaySeconds: number(DelaySeconds),
    contentBasedDeduplication: toBoolean(ContentBasedDeduplication),
    deadLetterQueue: redrive ? lastOf(redrive.deadLetterTargetArn) : false,
    maxReceiveCount: number(redrive?.maxReceiveCount),
  }) as QueueInput
}

/** The rule file, and the actions that are lost on the way. */
function toRule(name: string, payload: Values, instead: Values, replaced: Map<string, string>) {
  const lost: string[] = []
  const translated = (entry: Values, at: string, own: unknown) => {
    const result = translateAction(entry, own)
    const functionArn = (entry.Lambda as Values | undefined)?.FunctionArn
    if (own !== undefined && functionArn !== undefined)
      replaced.set(lastOf(functionArn), `the gateway does what it does for the rule ${name}`)
    if ('action' in result) return [result.action]
    lost.push(`rule ${name}: ${at}: ${result.unsupported}`)
    return []
  }
  if (typeof payload?.Sql !== 'string') throw new GatewayError('CONFIG_INVALID', `rule ${name}: TopicRulePayload.Sql is missing`)
  const actions = (payload.Actions ?? []) as Values[]
  const errorAction = payload.ErrorAction as Values | undefined
  const [translatedError] = errorAction ? translated(errorAction, 'errorAction', undefined) : []
  const rule = given({
    name,
    description: payload.Description,
    sql: payload.Sql,
    awsIotSqlVersion: payload.AwsIotSqlVersion,
    ruleDisabled: toBoolean(payload.RuleDisabled),
    actions: actions.flatMap((entry, index) => translated(entry, `actions[${index}]`, instead[index])),
    errorAction: translatedError,
  })
  return { rule, lost }
}

function functionOf(id: string, resource: Resource, resolve: ReturnType<typeof createResolver>): string {
  if (resource.Type === 'AWS::Lambda::Function') return nameOf(id, resource, String)
  return lastOf(resolve(resource.Properties?.FunctionName ?? '', `Resources.${id}`))
}
