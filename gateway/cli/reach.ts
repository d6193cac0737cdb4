// How the operator's commands find SQS or a running gateway, and what they say when nobody is there.
import type { Command } from 'commander'
import { Interrupted } from '../../lib/stop-signal.ts'
import { answerText, silenceOf } from '../aws/answer.ts'
import { type Aws, createAws } from '../aws/clients.ts'
import { codeOf, GatewayError } from '../errors.ts'
import { toUrl } from './arguments.ts'

export interface AwsFlags {
  readonly awsEndpoint: string
  readonly region: string
  readonly accountId: string
}

export function addAwsFlags(command: Command): Command {
  return command
    .option('--aws-endpoint <where>', 'URL of SQS, or `aws`', (text) => (text === 'aws' ? text : toUrl(text)), 'http://127.0.0.1:4566')
    .option('--region <region>', 'AWS Region', 'us-east-1')
    .option('--account-id <id>', 'account whose queues bare names mean', '000000000000')
}

export function reachAws({ awsEndpoint, region, accountId }: AwsFlags): Aws {
  return createAws({ region, accountId, ...(awsEndpoint === 'aws' ? {} : { endpoint: awsEndpoint }) })
}

/** Runs with an Aws and closes it; an endpoint that does not answer becomes a sentence with what to do. */
export async function withAws<T>(flags: AwsFlags, run: (aws: Aws) => Promise<T>): Promise<T> {
  const aws = reachAws(flags)
  try {
    return await run(aws)
  } catch (error) {
    if (error instanceof GatewayError && error.cause instanceof Interrupted) throw error.cause
    if (codeOf(error, 'CONFIG_INVALID') !== 'QUEUE_UNREACHABLE') throw error
    throw new GatewayError('QUEUE_UNREACHABLE', unreachable(flags.awsEndpoint, error as GatewayError), { cause: error })
  } finally {
    aws.stop()
  }
}

/** Names the error where SQS, or another server, did answer. */
function unreachable(endpoint: string, { cause }: GatewayError): string {
  if (silenceOf(cause) !== undefined) return `no SQS answers at ${endpoint}: start \`weir up\`, or say where SQS is with --aws-endpoint`
  return `${endpoint} ${answerText(cause)}; check --aws-endpoint, --region, the credentials and the permissions`
}

/** The JSON a running gateway answers with. */
export async function askAdmin(admin: string, path: string, method: 'GET' | 'POST' = 'GET'): Promise<unknown> {
  const response = await fetch(`${admin}${path}`, { method, signal: AbortSignal.timeout(5_000) }).catch((cause) => {
    throw noGateway(admin, cause)
  })
  if (response.status === 404) throw noGateway(admin)
  if (!response.ok) throw new GatewayError('ADMIN_UNREACHABLE', `${admin}${path} answered ${response.status}; check --admin`)
  return response.json().catch((cause) => {
    throw noGateway(admin, cause)
  })
}

/** Nobody is there, or somebody else. */
export function noGateway(admin: string, cause?: unknown): GatewayError {
  return new GatewayError('ADMIN_UNREACHABLE', `no gateway answers at ${admin}: start \`weir up\`, or say where with --admin`, { cause })
}

/** The rows of the queues that were asked for, or all. Throws QUEUE_MISSING with what `text` says of a name that no row has. */
export function ofQueues<T extends { readonly queue: string }>(
  rows: readonly T[],
  asked: readonly string[],
  text: (name: string) => string,
): readonly T[] {
  const missing = asked.find((name) => !rows.some(({ queue }) => queue === name))
  if (missing !== undefined) throw new GatewayError('QUEUE_MISSING', text(missing))
  return rows.filter(({ queue }) => asked.length === 0 || asked.includes(queue))
}
