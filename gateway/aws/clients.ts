// How to reach SQS and SNS: the embedded ones, a URL, or AWS itself; and what a bare queue or topic name stands for there.

import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { SNSClient } from '@aws-sdk/client-sns'
import { SQSClient } from '@aws-sdk/client-sqs'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { z } from 'zod'
import { createAwsHttp } from './http-handler.ts'
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
  readonly sqs: SQSClient
  /** For SendMessageBatch alone, which it sends with a fraction of the work and gives up after ten seconds. */
  readonly sqsSender: SQSClient
  readonly sns: SNSClient
  /** A bare name becomes the URL of that queue; a URL stays as it is. */
  queueUrl(nameOrUrl: string): string
  /** A bare name becomes the ARN of that topic; an ARN stays as it is. */
  topicArn(nameOrArn: string): string
  /** false: the configured queues and topics are being created, so a missing one says nothing about its name. */
  isReady: boolean
  stop(): void
}

export interface AwsOptions {
  /** A URL; absent means AWS itself, with the SDK's own credentials. */
  readonly endpoint?: string
  readonly region: string
  readonly accountId: string
  /** Milliseconds until one call is given up. Long polls add their own wait. */
  readonly requestTimeoutMs?: number
  readonly maxSockets?: number
  /** A queue's URL says where to call, even in another Region; false: the SDK's endpoint does, AWS_ENDPOINT_URL_SQS included. */
  readonly queueUrlAsEndpoint?: boolean
}

/**
 * Emulators verify no signature and live at one address, and so need neither the hashing nor the endpoint rules of every call.
 * Some read Region and service from the header that a signature comes in, so that one is sent, with nothing in it to verify.
 */
const emulated = (endpoint: string, region: string, service: 'sqs' | 'sns') => {
  const authorization = `AWS4-HMAC-SHA256 Credential=local/20260101/${region}/${service}/aws4_request, SignedHeaders=host, Signature=local`
  return {
    endpoint,
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    signer: {
      async sign<T extends { headers: Record<string, string> }>(request: T): Promise<T> {
        request.headers.authorization = authorization
        return request
      },
    },
  }
}

const connectTimeoutMs = 2_000
/** Of a delivery: a target that has not answered by then is taken for away, though its connection stands. */
const deliveryTimeoutMs = 10_000

/** Steps of every call that serve logs and statistics nobody here reads. */
const idleSteps = ['loggerMiddleware', 'getUserAgentMiddleware', 'recursionDetectionMiddleware']

// Measured with SendMessageBatch of ten: from 0.8 to 0.4 ms of CPU per call against an emulator.
function lean<C extends SQSClient | SNSClient>(client: C): C {
  for (const step of idleSteps) client.middlewareStack.remove(step)
  return client
}

export function createAws(options: AwsOptions): Aws {
  const { endpoint, region, accountId, requestTimeoutMs = 30_000, maxSockets = 64, queueUrlAsEndpoint = endpoint === undefined } = options
  const agent = { keepAlive: true, maxSockets }
  // Long polls can be given up midway, which the SDK's own handler knows how to do.
  const patient = new NodeHttpHandler({
    httpAgent: new HttpAgent(agent),
    httpsAgent: new HttpsAgent(agent),
    connectionTimeout: connectTimeoutMs,
    requestTimeout: requestTimeoutMs,
    throwOnRequestTimeout: true, // else it only prints a warning, and waits for ever
  })
  const brief = createAwsHttp({ maxSockets, connectTimeoutMs, requestTimeoutMs: Math.min(requestTimeoutMs, deliveryTimeoutMs) })
  const local = (service: 'sqs' | 'sns') => (endpoint === undefined ? {} : emulated(endpoint, region, service))
  // Retries are made in one place only, by the caller, who knows the budget.
  const config = { region, maxAttempts: 1, cacheMiddleware: true }
  // TCP and TLS have checksums of their own, and hashing every body again is a tenth of what a call costs.
  const sqsConfig = { ...config, ...local('sqs'), md5: false as const, useQueueUrlAsEndpoint: queueUrlAsEndpoint }
  const sqs = lean(new SQSClient({ ...sqsConfig, requestHandler: patient }))
  const sqsSender = addShortcut(lean(new SQSClient({ ...sqsConfig, requestHandler: brief })))
  const sns = lean(new SNSClient({ ...config, ...local('sns'), requestHandler: brief }))
  const queueBase = endpoint?.replace(/\/$/, '') ?? `https://sqs.${region}.amazonaws.com`
  return {
    sqs,
    sqsSender,
    sns,
    queueUrl: (name) => (/^https?:\/\//.test(name) ? name : `${queueBase}/${accountId}/${name}`),
    isReady: true,
    topicArn: (name) => (name.startsWith('arn:') ? name : `arn:aws:sns:${region}:${accountId}:${name}`),
    stop() {
      sqs.destroy()
      sqsSender.destroy()
      sns.destroy()
    },
  }
}

/** `telemetry` → `telemetry-dlq`, `door-events.fifo` → `door-events-dlq.fifo`; URLs alike. */
export function deadLetterNameOf(queue: string): string {
  return queue.endsWith('.fifo') ? `${queue.slice(0, -'.fifo'.length)}-dlq.fifo` : `${queue}-dlq`
}

/** The way back: what a dead-letter queue's name says about its queue. */
export function sourceNameOf(deadLetterQueue: string): string | undefined {
  return /-dlq(\.fifo)?$/.test(deadLetterQueue) ? deadLetterQueue.replace(/-dlq(?=(\.fifo)?$)/, '') : undefined
}
