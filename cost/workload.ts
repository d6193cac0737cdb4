// What a fleet does in a month: the one description that every path is priced for.
import { z } from 'zod'
import { parseAs } from '../lib/problems.ts'
import { CostError } from './errors.ts'

const count = z.number().nonnegative('expected 0 or more')
const whole = z.number().int('expected a whole number').positive('expected more than 0')

export const workloadSchema = z.strictObject({
  region: z.string().default('us-east-1'),
  devices: whole.max(100_000_000).default(10_000).describe('devices of the fleet, all connected all month'),
  intervalMs: whole
    .min(10, 'IoT Core takes 100 messages a second of a device at most')
    .max(31 * 86_400_000)
    .default(60_000)
    .describe('time between two readings of one device'),
  payloadBytes: whole.max(1_048_576).default(200).describe('bytes of one reading'),
  topicBytes: whole.max(256).default(43).describe('bytes of the topic'),
  clientIdBytes: whole.max(128).default(20),
  qos: z.literal([0, 1], 'expected 0 or 1').default(1),
  readingsPerMessage: whole.max(100_000).default(1).describe('readings packed into one message'),
  days: z.number().positive().max(31).default(30).describe('days of the month'),
  keepAliveMs: whole.min(30_000, 'AWS IoT Core accepts 30s at least').max(1_200_000).default(300_000),
  sessionsPerDeviceDay: z.number().positive().default(1).describe('connections an always-on device opens in a day'),
  rule: z.boolean().default(true).describe('an IoT Core rule with one action for each message; without it messages end at the broker'),
  queue: z.enum(['standard', 'fifo', 'fair', 'none']).default('standard').describe('the SQS queue at the end of a path'),
  sends: z
    .enum(['single', 'batched', 'packed'])
    .default('batched')
    .describe('how a gateway of ours sends to SQS; AWS rules and integrations send singly'),
  messagesPerCall: whole
    .max(10, 'SQS takes and gives ten at most')
    .default(10)
    .describe('messages in a batched call to SQS, send, receive or delete; fewer where they come slowly and nobody waits for company'),
  pollers: count.default(1).describe('consumers in an empty 20 s long poll all month'),
  requestsPerConnection: z.number().min(1).default(1).describe('HTTPS requests before the connection is opened again'),
  webSocketAcks: z.boolean().optional().describe('a message back for each one on a WebSocket API; as QoS 1 where left out'),
  dataOut: z.boolean().default(true).describe('bytes out to the internet are charged, except from IoT Core'),
  lambdaMemoryMB: whole.default(128),
  lambdaDurationMs: count.default(20),
  instanceType: z.string().default('c7g.large'),
  taskVcpu: z.number().positive().default(1),
  taskMemoryGB: z.number().positive().default(2),
  connectionsPerNode: whole.default(20_000).describe('assumed until measured'),
  messagesPerSecondPerNode: whole.default(5_000).describe('assumed until measured'),
  spareNodes: count.int().default(1),
  labourUsd: count.default(0).describe('work on servers of our own, dollars a month'),
})

export type Workload = z.infer<typeof workloadSchema>

/** Throws a CostError with one sentence for each wrong field, under the name that `nameOf` gives it. */
export function parseWorkload(fields: Readonly<Record<string, unknown>>, nameOf: (field: string) => string = (field) => field): Workload {
  const result = workloadSchema.safeParse(fields)
  if (result.success) return result.data
  const first = new Map(result.error.issues.toReversed().map((issue) => [issue.path.join('.'), issue]))
  const sentences = [...first.values()].toReversed().map(({ path, message }) => {
    const field = path.join('.')
    return `${nameOf(field)} cannot be ${JSON.stringify(fields[field])}: ${message.replace(/^(Invalid \w+|Too \w+): /, '')}`
  })
  const isUnknown = result.error.issues.some(({ code }) => code === 'unrecognized_keys')
  if (isUnknown) parseAs(workloadSchema, fields, 'workload', (problems) => new CostError(problems))
  throw new CostError(sentences.join('; '))
}

/** Messages of the whole fleet in the month; an average, so not always whole. */
export function messagesPerMonth({ devices, days, intervalMs, readingsPerMessage }: Workload): number {
  return (devices * days * 86_400_000) / (intervalMs * readingsPerMessage)
}

export const messageBytes = ({ payloadBytes, readingsPerMessage }: Workload): number => payloadBytes * readingsPerMessage
export const messageIntervalMs = ({ intervalMs, readingsPerMessage }: Workload): number => intervalMs * readingsPerMessage
export const sessionsPerMonth = ({ devices, days, sessionsPerDeviceDay }: Workload): number => devices * days * sessionsPerDeviceDay
export const connectedMinutes = ({ devices, days }: Workload): number => devices * days * 1_440
export const hoursPerMonth = ({ days }: Workload): number => days * 24
export const acksOnWebSocket = ({ webSocketAcks, qos }: Workload): boolean => webSocketAcks ?? qos === 1
