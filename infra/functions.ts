// The Lambda functions of the stack: consumers behind queues, and senders that give messages their group.
import { join } from 'node:path'
import { App, Duration, RemovalPolicy } from 'aws-cdk-lib'
import { Effect, PolicyDocument, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Architecture, Code, Function as LambdaFunction, LoggingFormat, Runtime } from 'aws-cdk-lib/aws-lambda'
import { SqsDestination } from 'aws-cdk-lib/aws-lambda-destinations'
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources'
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs'
import type { IQueue } from 'aws-cdk-lib/aws-sqs'
import type { Construct } from 'constructs'
import type { ConsumerConfig } from '../gateway/consume/consumer-config.ts'
import { bundle } from './bundle.ts'
import type { GroupSource } from './group.ts'

interface FunctionProps {
  readonly entry: string
  readonly description: string
  readonly timeout: Duration
  /** Each entry: actions on one queue. */
  readonly mayUse: readonly (readonly [queue: IQueue, ...actions: readonly string[]])[]
}

function createFunction(scope: Construct, id: string, { entry, description, timeout, mayUse }: FunctionProps): LambdaFunction {
  const directory = join(App.of(scope)!.outdir, 'bundles', `${scope.node.path}/${id}`.replaceAll('/', '-'))
  bundle(entry, directory)
  const logGroup = new LogGroup(scope, `${id}Log`, { retention: RetentionDays.ONE_MONTH, removalPolicy: RemovalPolicy.DESTROY })
  const statement = (actions: readonly string[], arn: string) =>
    new PolicyStatement({ effect: Effect.ALLOW, actions: [...actions], resources: [arn] })
  const statements = [
    statement(['logs:CreateLogStream', 'logs:PutLogEvents'], logGroup.logGroupArn),
    ...mayUse.map(([queue, ...actions]) => statement(actions, queue.queueArn)),
  ]
  const role = new Role(scope, `${id}Role`, {
    assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
    inlinePolicies: { Run: new PolicyDocument({ statements }) },
  })
  return new LambdaFunction(scope, id, {
    description,
    runtime: Runtime.NODEJS_24_X,
    architecture: Architecture.ARM_64,
    handler: 'index.handler',
    code: Code.fromAsset(directory),
    memorySize: 256,
    timeout,
    role: role.withoutPolicyUpdates(),
    logGroup,
    loggingFormat: LoggingFormat.JSON,
  })
}

export interface SenderProps {
  readonly queue: IQueue
  readonly queueName: string
  readonly group: GroupSource
  /** Gets what Lambda could not hand over in three tries. */
  readonly onFailure: IQueue
}

export function createSender(scope: Construct, { queue, queueName, group, onFailure }: SenderProps): LambdaFunction {
  const options = JSON.stringify({ queue: queueName, group })
  const sender = createFunction(scope, 'Sender', {
    entry: `import { createSender } from './infra/lambda/send.ts'\nexport const handler = createSender(${options})\n`,
    description: `Sends what a rule selected to ${queueName}, with its message group`,
    timeout: Duration.seconds(10),
    mayUse: [
      [queue, 'sqs:SendMessage'],
      [onFailure, 'sqs:SendMessage'],
    ],
  })
  sender.configureAsyncInvoke({ retryAttempts: 2, onFailure: new SqsDestination(onFailure) })
  return sender
}

export interface ConsumerProps {
  readonly config: ConsumerConfig
  /** The handler's module, relative to the checkout. */
  readonly entry: string
  readonly queue: IQueue
  readonly deadLetterQueue: IQueue
}

/** [AWS lambda services-sqs-scaling] MaximumConcurrency is 2 to 1000. */
const minConcurrency = 2

export function createConsumer(scope: Construct, { config, entry, queue, deadLetterQueue }: ConsumerProps): LambdaFunction {
  const consumer = createFunction(scope, `Consumer-${config.queue.replace('.', '-')}`, {
    entry,
    description: `Handles what is in ${config.queue}`,
    timeout: functionTimeoutOf(config),
    mayUse: [
      [queue, 'sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes', 'sqs:ChangeMessageVisibility', 'sqs:SendMessage'],
      [deadLetterQueue, 'sqs:SendMessage'],
    ],
  })
  const source = { batchSize: 10, reportBatchItemFailures: true, maxConcurrency: Math.max(minConcurrency, config.concurrency) }
  consumer.addEventSource(new SqsEventSource(queue, source))
  return consumer
}

/** A second more than the handler has: the function reports before Lambda ends it. */
export function functionTimeoutOf({ handlerTimeout }: Pick<ConsumerConfig, 'handlerTimeout'>): Duration {
  return Duration.seconds(Math.ceil(handlerTimeout / 1_000) + 1)
}
