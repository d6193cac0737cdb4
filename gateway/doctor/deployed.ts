// What is at AWS, asked with the caller's credentials: queues and topics through their clients, rules through signed GETs. Only reads.
import { GetTopicAttributesCommand, ListSubscriptionsByTopicCommand, SNSClient } from '@aws-sdk/client-sns'
import { GetQueueAttributesCommand, GetQueueUrlCommand } from '@aws-sdk/client-sqs'
import { targetName } from '../actions/aws-errors.ts'
import { answerText, silenceOf } from '../aws/answer.ts'
import type { Aws } from '../aws/clients.ts'
import { GatewayError } from '../errors.ts'
import type { Estate } from './estate.ts'
import { type Deployed, type DeployedRule, type QueueFacts, sqsMessageBytes } from './queues.ts'

export interface DeployedOptions {
  readonly aws: Aws
  readonly region: string
  /** Of the control plane: `https://iot.us-east-1.amazonaws.com`. Absent: rules are left out. */
  readonly iotEndpoint?: string
  readonly where: string
}

/** Asks for everything the estate names. Rejects with QUEUE_UNREACHABLE where AWS does not answer, or answers with an error. */
export async function readDeployed(estate: Estate, options: DeployedOptions): Promise<Deployed> {
  const queues = await asked(
    estate.queues.map(({ name }) => name),
    (name) => queueAt(name, options),
  )
  const account = [...queues.values()].find((queue) => queue !== undefined)?.account
  const topics = await asked(
    estate.topics.map(({ name }) => name),
    (name) => subscribersOf(name, account, options),
  )
  const facts = new Map([...queues].map(([name, found]) => [name, found?.facts] as const))
  if (options.iotEndpoint === undefined) return { where: options.where, queues: facts, topics }
  const get = await signedGet(options, options.iotEndpoint)
  const rules = await asked(
    estate.rules.map(({ file }) => file.name),
    async (name) => {
      const answer = (await get(`/rules/${name}`)) as { readonly rule?: DeployedRule } | undefined
      return answer?.rule
    },
  )
  return { where: options.where, queues: facts, topics, rules }
}

/** One after the other: an account allows few of these calls a second. */
async function asked<T>(names: readonly string[], ask: (name: string) => Promise<T>): Promise<ReadonlyMap<string, T>> {
  const answers = new Map<string, T>()
  for (const name of names) answers.set(name, await ask(name))
  return answers
}

async function queueAt(name: string, options: DeployedOptions): Promise<{ facts: QueueFacts; account: string } | undefined> {
  const { where } = options
  const attributes = await attributesOf(name, options)
  if (attributes === undefined) return undefined
  const policy = attributes.RedrivePolicy === undefined ? undefined : JSON.parse(attributes.RedrivePolicy)
  const deadLetterQueue = policy && targetName(policy.deadLetterTargetArn)
  const deadLetters = deadLetterQueue && (await attributesOf(deadLetterQueue, options))
  const facts: QueueFacts = {
    file: where,
    field: name,
    name,
    fifo: attributes.FifoQueue === 'true',
    retentionSeconds: Number(attributes.MessageRetentionPeriod ?? 345_600),
    visibilityTimeoutSeconds: Number(attributes.VisibilityTimeout ?? 30),
    maximumMessageSize: Number(attributes.MaximumMessageSize ?? sqsMessageBytes),
    contentBasedDeduplication: attributes.ContentBasedDeduplication === 'true',
    isDeadLetterQueue: false,
    ...(policy && {
      redrive: {
        deadLetterQueue,
        maxReceiveCount: Number(policy.maxReceiveCount),
        ...(deadLetters && { retentionSeconds: Number(deadLetters.MessageRetentionPeriod) }),
      },
    }),
  }
  return { facts, account: attributes.QueueArn?.split(':')[4] ?? '' }
}

async function attributesOf(name: string, { aws, where }: DeployedOptions): Promise<Readonly<Record<string, string>> | undefined> {
  try {
    const { QueueUrl } = await aws.sqs.send(new GetQueueUrlCommand({ QueueName: name }))
    const { Attributes = {} } = await aws.sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }))
    return Attributes
  } catch (error) {
    return unlessMissing(error, /QueueDoesNotExist|NonExistentQueue/, where)
  }
}

/** A topic is only found by its ARN, and so by the account of a queue. */
async function subscribersOf(
  name: string,
  account: string | undefined,
  { aws, region, where }: DeployedOptions,
): Promise<readonly string[] | undefined> {
  const TopicArn = account ? `arn:aws:sns:${region}:${account}:${name}` : aws.topicArn(name)
  try {
    await aws.client(SNSClient).send(new GetTopicAttributesCommand({ TopicArn }))
    const { Subscriptions = [] } = await aws.client(SNSClient).send(new ListSubscriptionsByTopicCommand({ TopicArn }))
    return Subscriptions.flatMap(({ Protocol, Endpoint }) => (Protocol === 'sqs' && Endpoint ? [targetName(Endpoint)] : []))
  } catch (error) {
    return unlessMissing(error, /NotFound/, where)
  }
}

function unlessMissing(error: unknown, missing: RegExp, where: string): undefined {
  const { name = '' } = error as { readonly name?: string }
  if (missing.test(name)) return undefined
  throw new GatewayError('QUEUE_UNREACHABLE', `${where} ${answerText(error)}${hintOf(error)}`, { cause: error })
}

function hintOf(error: unknown): string {
  const { name = '' } = error as { readonly name?: string }
  if (/Credential/.test(name)) return '; set AWS_PROFILE, or log in'
  return silenceOf(error) === 'ENOTFOUND' ? '; check the Region' : ''
}

/** GET with the credentials that the SQS client finds and the signer it brings; undefined for 404. */
async function signedGet({ aws, region }: DeployedOptions, endpoint: string): Promise<(path: string) => Promise<unknown>> {
  const { protocol, hostname, port, host } = new URL(endpoint)
  return async (path) => {
    const signer = await aws.sqs.config.signer({ name: 'sigv4', signingName: 'sqs', signingRegion: region, properties: {} })
    const request = { method: 'GET', protocol, hostname, ...(port && { port: Number(port) }), path, headers: { host }, query: {} }
    const { headers } = await signer.sign({ ...request, headers: { ...request.headers } }, { signingService: 'iot', signingRegion: region })
    const { host: _, ...sent } = headers // fetch writes it
    const response = await fetch(new URL(path, endpoint), { headers: sent, signal: AbortSignal.timeout(10_000) }).catch((cause) => {
      throw new GatewayError('QUEUE_UNREACHABLE', `the control plane of AWS IoT at ${endpoint} ${answerText(cause)}`, { cause })
    })
    if (response.status === 404) return undefined
    if (!response.ok) throw new GatewayError('QUEUE_UNREACHABLE', `AWS IoT answers with HTTP ${response.status} to GET ${path}`)
    return response.json().catch((cause) => {
      throw new GatewayError('QUEUE_UNREACHABLE', `AWS IoT answers GET ${path} with something else than JSON`, { cause })
    })
  }
}
