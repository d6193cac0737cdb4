// What a person is woken for, and the one page they look at then.
import { ArnFormat, Duration, Stack } from 'aws-cdk-lib'
import {
  Alarm,
  ComparisonOperator,
  Dashboard,
  GraphWidget,
  type IMetric,
  MathExpression,
  Metric,
  TextWidget,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch'
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions'
import { ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda'
import { Topic } from 'aws-cdk-lib/aws-sns'
import { Construct } from 'constructs'
import type { RuleFile } from '../gateway/rules/rule-file.ts'
import type { Queues } from './queues.ts'

export interface ObservabilityProps {
  readonly rules: readonly RuleFile[]
  readonly queues: Queues
  /** By queue. */
  readonly functions: Readonly<Record<string, LambdaFunction>>
}

const period = Duration.minutes(5)
/** Messages older than this mean that consumers do not keep up. */
const oldSeconds = 15 * 60

interface Watch {
  readonly id: string
  readonly metric: IMetric
  readonly above: number
  readonly means: string
}

export class Observability extends Construct {
  /** Where alarms go. Subscribe whoever shall be woken. */
  readonly operations: Topic

  constructor(scope: Construct, { rules, queues, functions }: ObservabilityProps) {
    super(scope, 'Observability')
    this.operations = new Topic(this, 'Operations', {
      topicName: `${Stack.of(this).stackName}-operations`,
      masterKey: queues.key,
      enforceSSL: true,
    })
    // With a policy of its own, a topic no longer lets the account's services in by itself [AWS sns-access-policy-use-cases].
    const alarms = Stack.of(this).formatArn({
      service: 'cloudwatch',
      resource: 'alarm',
      resourceName: '*',
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    })
    // An alarm publishes as the service, and an encrypted topic asks for the key as well: CDK grants both, under the same conditions
    // [AWS sns-key-management].
    const ours = { ArnLike: { 'aws:SourceArn': alarms }, StringEquals: { 'aws:SourceAccount': Stack.of(this).account } }
    this.operations.grantPublish(new ServicePrincipal('cloudwatch.amazonaws.com', { conditions: ours }))
    const watches = [
      ...watchQueues(queues, rules, functions),
      ...rules.flatMap(watchRule),
      ...Object.entries(functions).flatMap(watchFunction),
    ]
    for (const watch of watches) this.alarm(watch)
    this.dashboard(rules, queues, functions)
  }

  private alarm({ id, metric, above, means }: Watch): void {
    const alarm = new Alarm(this, id, {
      metric,
      threshold: above,
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      evaluationPeriods: 1,
      treatMissingData: TreatMissingData.NOT_BREACHING,
      alarmDescription: means,
    })
    alarm.addAlarmAction(new SnsAction(this.operations))
  }

  private dashboard(rules: readonly RuleFile[], { pairs }: Queues, functions: ObservabilityProps['functions']): void {
    const names = Object.keys(pairs)
    const graph = (title: string, left: IMetric[]) => new GraphWidget({ title, left, width: 8, height: 6 })
    new Dashboard(this, 'Dashboard', { dashboardName: Stack.of(this).stackName }).addWidgets(
      new TextWidget({
        markdown: 'Devices → rules → queues → consumers. What waits is on its way; what is dead waits for `weir dlq`.',
        width: 24,
        height: 1,
      }),
      graph('Messages in', [iot('PublishIn.Success', { Protocol: 'MQTT' }), iot('PublishIn.Success', { Protocol: 'HTTP' })]),
      graph(
        'Rules: matches',
        rules.map(({ name }) => iot('TopicMatch', { RuleName: name })),
      ),
      graph(
        'Rules: what went wrong',
        rules.flatMap(({ name }) => [parseErrors(name), throttled(name)]),
      ),
      graph(
        'Waiting',
        names.map((name) => queueMetric('ApproximateNumberOfMessagesVisible', pairs[name]!.queue.queueName, name)),
      ),
      graph(
        'Age of the oldest, in seconds',
        names.map((name) => queueMetric('ApproximateAgeOfOldestMessage', pairs[name]!.queue.queueName, name)),
      ),
      graph(
        'Dead letters',
        names.map((name) => queueMetric('ApproximateNumberOfMessagesVisible', pairs[name]!.deadLetterQueue.queueName, name)),
      ),
      graph(
        'Noisy tenants',
        names
          .filter((name) => !name.endsWith('.fifo'))
          .map((name) => queueMetric('ApproximateNumberOfNoisyGroups', pairs[name]!.queue.queueName, name)),
      ),
      graph(
        'Consumers: milliseconds, p95',
        Object.entries(functions).map(([name, fn]) => fn.metricDuration({ statistic: 'p95', label: name, period })),
      ),
      graph(
        'Consumers: errors and throttles',
        Object.entries(functions).flatMap(([name, fn]) => [
          fn.metricErrors({ label: `${name} errors`, period }),
          fn.metricThrottles({ label: `${name} throttles`, period }),
        ]),
      ),
    )
  }
}

function watchQueues({ pairs }: Queues, rules: readonly RuleFile[], functions: ObservabilityProps['functions']): readonly Watch[] {
  const errorQueues = new Set(rules.map(({ errorAction }) => errorAction?.sqs?.queueUrl))
  const grouped = new Set(rules.flatMap(({ actions }) => actions.flatMap(({ sqs }) => (sqs?.groupId === undefined ? [] : [sqs.queueUrl]))))
  return Object.entries(pairs).flatMap(([name, { queue, deadLetterQueue }]) => {
    const id = name.replace('.', '-')
    const depth = (queueName: string) => queueMetric('ApproximateNumberOfMessagesVisible', queueName)
    const age = (metric: string) => queueMetric(metric, queue.queueName)
    const watches: Watch[] = [
      { id: `${id}-dead`, metric: depth(deadLetterQueue.queueName), above: 0, means: `${name} has dead letters: weir dlq ls shows why` },
    ]
    if (errorQueues.has(name))
      watches.push({
        id: `${id}-depth`,
        metric: depth(queue.queueName),
        above: 0,
        means: 'an action of a rule failed: the message is in this queue',
      })
    // A queue without a consumer of ours is somebody else's to empty.
    if (functions[name]) {
      const means = `${name}: the oldest message waits for more than 15 minutes; consumers do not keep up`
      watches.push({ id: `${id}-age`, metric: age('ApproximateAgeOfOldestMessage'), above: oldSeconds, means })
    }
    // One noisy tenant makes the queue old; this one rises only when the quiet ones wait too [AWS sqs-fair-queues].
    if (functions[name] && grouped.has(name) && !name.endsWith('.fifo')) {
      const means = `${name}: tenants that are not noisy wait for more than 15 minutes`
      watches.push({ id: `${id}-quiet-age`, metric: age('ApproximateAgeOfOldestMessageInQuietGroups'), above: oldSeconds, means })
    }
    return watches
  })
}

function watchRule({ name }: RuleFile): readonly Watch[] {
  const wrong = new MathExpression({
    expression: 'FILL(parse, 0) + FILL(throttled, 0)',
    usingMetrics: { parse: parseErrors(name), throttled: throttled(name) },
    period,
  })
  return [
    {
      id: `rule-${name}`,
      metric: wrong,
      above: 0,
      means: `rule ${name}: messages that are no JSON, or were throttled; neither goes to the error action`,
    },
  ]
}

function watchFunction([name, fn]: [string, LambdaFunction]): readonly Watch[] {
  const id = name.replace('.', '-')
  return [
    {
      id: `${id}-errors`,
      metric: fn.metricErrors({ period }),
      above: 0,
      means: `the consumer of ${name} fails as a whole, which it never should`,
    },
    {
      id: `${id}-throttles`,
      metric: fn.metricThrottles({ period }),
      above: 0,
      means: `the consumer of ${name} is throttled: raise the account's concurrency or lower MaximumConcurrency`,
    },
  ]
}

// [AWS IoT metrics and dimensions]
const iot = (metricName: string, dimensionsMap: Record<string, string>) =>
  new Metric({
    namespace: 'AWS/IoT',
    metricName,
    dimensionsMap,
    statistic: 'Sum',
    period,
    label: `${Object.values(dimensionsMap)[0]} ${metricName}`,
  })
const parseErrors = (rule: string) => iot('ParseError', { RuleName: rule })
const throttled = (rule: string) => iot('RuleMessageThrottled', { RuleName: rule })

const queueMetric = (metricName: string, queueName: string, label?: string) =>
  new Metric({
    namespace: 'AWS/SQS',
    metricName,
    dimensionsMap: { QueueName: queueName },
    statistic: 'Maximum',
    period,
    ...(label !== undefined && { label }),
  })
