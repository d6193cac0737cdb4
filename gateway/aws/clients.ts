// The clients of AWS services: one shared configuration for the embedded SQS and SNS, an emulator, or AWS itself.
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { SQSClient, type SQSClientConfig } from '@aws-sdk/client-sqs'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { z } from 'zod'
import { type AwsHttp, createAwsHttp } from './http-handler.ts'
import { addShortcut } from './shortcut.ts'

export const awsSchema = z.strictObject({
  endpoint: z
    .union([z.literal('embedded'), z.literal('aws'), z.url()])
    .default('embedded')
    .describe('where SQS and SNS are: `embedded` (started by the gateway), `aws`, or the URL of an emulator'),
  region: z.string().min(1).default('us-east-1').describe('AWS Region'),
  accountId: z
    .string()
    .regex(/^\d{12}$/)
    .default('000000000000')
    .describe('account whose queues and topics bare names mean'),
})

export interface Aws {
  /** For long polls, which can be aborted, and for administration. */
  readonly sqs: SQSClient
  /** Sends SendMessageBatch only, at a fraction of the CPU time (shortcut.ts). A call fails after ten seconds. */
  readonly sqsSender: SQSClient
  /** The one client of another service, created at the first call. Its calls fail after ten seconds. */
  client<C extends ServiceClient>(Client: ServiceClass<C>): C
  /** Returns the URL of the queue that a bare name means; a URL is returned unchanged. */
  queueUrl(nameOrUrl: string): string
  /** Returns the ARN of the topic that a bare name means; an ARN is returned unchanged. */
  topicArn(nameOrArn: string): string
  /** false while the configured queues and topics are being created: a missing one may still appear. */
  isReady: boolean
  stop(): void
}

/** A client class of the AWS SDK, such as `SNSClient`. */
export type ServiceClass<C extends ServiceClient> = new (config: ServiceConfig) => C

export interface ServiceClient {
  readonly config: { readonly defaultSigningName: string }
  readonly middlewareStack: { remove(step: string): boolean }
  destroy(): void
}

/** The part of the SDK's client configuration that is the same for every service. */
export interface ServiceConfig extends Partial<Emulation> {
  readonly region: string
  /** Always 1: the caller retries, because it knows the budget. */
  readonly maxAttempts: number
  readonly cacheMiddleware: boolean
  readonly requestHandler: AwsHttp
}

export interface AwsOptions {
  /** URL of an emulator. Absent: AWS, with the SDK's own credentials. */
  readonly endpoint?: string
  readonly region: string
  readonly accountId: string
  /** Milliseconds until a call fails. Long polls add their own wait. */
  readonly requestTimeoutMs?: number
  readonly maxSockets?: number
  /** true: call the host in a queue's URL, even in another Region. false: the SDK's endpoint, AWS_ENDPOINT_URL_SQS included. */
  readonly queueUrlAsEndpoint?: boolean
  /** false: send batches without the shortcut. Default: true. */
  readonly fastPaths?: boolean
}

interface Emulation {
  readonly endpoint: string
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }
  readonly signer: { sign<T extends SignedRequest>(request: T): Promise<T> }
}

interface SignedRequest {
  headers: Record<string, string>
}

/**
 * Emulators verify no signature and have one address, so calls to them skip hashing and endpoint rules.
 * Some emulators read Region and service from the authorization header, so a header with nothing to verify is sent.
 */
function emulation(endpoint: string, region: string, service: () => string): Emulation {
  return {
    endpoint,
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    signer: {
      async sign(request) {
        const scope = `20260101/${region}/${service()}/aws4_request`
        request.headers.authorization = `AWS4-HMAC-SHA256 Credential=local/${scope}, SignedHeaders=host, Signature=local`
        return request
      },
    },
  }
}

const connectTimeoutMs = 2_000
/** A target that has not answered a delivery by then counts as unavailable, even if it is connected. */
const deliveryTimeoutMs = 10_000

/** Middleware for logs and statistics that the gateway does not use. */
const idleSteps = ['loggerMiddleware', 'getUserAgentMiddleware', 'recursionDetectionMiddleware']

/** Removing them halves the CPU time of a SendMessageBatch of ten to an emulator, from 0.8 ms to 0.4 ms. */
function removeIdleSteps(client: ServiceClient): void {
  for (const step of idleSteps) client.middlewareStack.remove(step)
}

export function createAws(options: AwsOptions): Aws {
  const { endpoint, region, accountId, requestTimeoutMs = 30_000, maxSockets = 64, fastPaths = true } = options
  const { queueUrlAsEndpoint = endpoint === undefined } = options
  const brief = createAwsHttp({ maxSockets, connectTimeoutMs, requestTimeoutMs: Math.min(requestTimeoutMs, deliveryTimeoutMs) })
  const config: ServiceConfig = { region, maxAttempts: 1, cacheMiddleware: true, requestHandler: brief }
  const create = <C extends ServiceClient>(Client: ServiceClass<C>, settings: object = {}): C => {
    const emulated = endpoint === undefined ? {} : emulation(endpoint, region, () => client.config.defaultSigningName)
    const client: C = new Client({ ...config, ...emulated, ...settings })
    removeIdleSteps(client)
    return client
  }
  // md5: TCP and TLS have checksums; hashing each body again is a tenth of the CPU time of a call.
  const sqsSettings = { md5: false, useQueueUrlAsEndpoint: queueUrlAsEndpoint } satisfies SQSClientConfig
  const patient = { requestHandler: createPatientHttp(maxSockets, requestTimeoutMs) } satisfies SQSClientConfig
  const sqs = create(SQSClient, { ...sqsSettings, ...patient })
  const sender = create(SQSClient, sqsSettings)
  const sqsSender = fastPaths ? addShortcut(sender) : sender
  const others = new Map<ServiceClass<ServiceClient>, ServiceClient>()
  const queueBase = endpoint?.replace(/\/$/, '') ?? `https://sqs.${region}.amazonaws.com`
  return {
    sqs,
    sqsSender,
    client<C extends ServiceClient>(Client: ServiceClass<C>): C {
      const client = others.get(Client) ?? create(Client)
      others.set(Client, client)
      return client as C // the map holds each class with its own instance
    },
    queueUrl: (name) => (/^https?:\/\//.test(name) ? name : `${queueBase}/${accountId}/${name}`),
    isReady: true,
    topicArn: (name) => (name.startsWith('arn:') ? name : `arn:aws:sns:${region}:${accountId}:${name}`),
    stop() {
      for (const client of [sqs, sqsSender, ...others.values()]) client.destroy()
    },
  }
}

/** The SDK's own handler: it can abort a long poll. */
function createPatientHttp(maxSockets: number, requestTimeout: number): NodeHttpHandler {
  const agent = { keepAlive: true, maxSockets }
  return new NodeHttpHandler({
    httpAgent: new HttpAgent(agent),
    httpsAgent: new HttpsAgent(agent),
    connectionTimeout: connectTimeoutMs,
    requestTimeout,
    throwOnRequestTimeout: true, // by default the handler only logs a warning and keeps waiting
  })
}

/** `telemetry` → `telemetry-dlq`, `door-events.fifo` → `door-events-dlq.fifo`; URLs alike. */
export function deadLetterNameOf(queue: string): string {
  return queue.endsWith('.fifo') ? `${queue.slice(0, -'.fifo'.length)}-dlq.fifo` : `${queue}-dlq`
}

/** The queue that a dead-letter queue belongs to, by its name. undefined: the name is not that of a dead-letter queue. */
export function sourceNameOf(deadLetterQueue: string): string | undefined {
  return /-dlq(\.fifo)?$/.test(deadLetterQueue) ? deadLetterQueue.replace(/-dlq(?=(\.fifo)?$)/, '') : undefined
}
