// What a measured run found out, as a file can keep it, and the wires it makes of any workload.
import { z } from 'zod'
import { readJsonFile } from '../lib/json-file.ts'
import { parseAs } from '../lib/problems.ts'
import { CostError } from './errors.ts'
import { connectionOf, type Path, pathNames, type WireOf, wireOf } from './paths.ts'
import { addBytes, type Bytes, composeWire, type MessagePart, messageParts, modelWire, type Wire, wireProtocols } from './wire.ts'
import { parseWorkload, type Workload } from './workload.ts'

const amount = z.number().nonnegative()
const bytes = z.strictObject({ up: amount, down: amount })
const units = z.record(z.string(), amount)

const measurement = z.strictObject({
  transport: z.string().min(1),
  title: z.string(),
  protocol: z.enum(wireProtocols),
  reconnecting: z.boolean().describe('a connection for each message'),
  message: z
    .strictObject({ payloadBytes: amount, topicBytes: amount, clientIdBytes: amount, qos: z.literal([0, 1]) })
    .describe('what was sent, on average'),
  sessions: amount,
  messages: amount,
  keepAlives: amount,
  parts: z
    .strictObject(Object.fromEntries(messageParts.map((part) => [part, bytes])) as Record<MessagePart, typeof bytes>)
    .describe('of one message'),
  perSession: bytes.describe('opened and closed, with TCP/IP'),
  perOpen: bytes.optional().describe('the first part of perSession; only where connections could be looked at while they stood'),
  perKeepAlive: bytes.optional().describe('left out where the protocol has none of its own'),
  tcpip: z.enum(['kernel', 'model']).describe('who counted the segments'),
  retransmittedBytes: amount,
  packets: z.record(z.string(), z.strictObject({ count: amount, up: amount, down: amount })).describe('by kind and direction'),
  aws: z
    .record(z.string(), z.strictObject({ calls: amount, requests: amount, messages: amount, empty: amount }))
    .describe('calls to SQS and SNS; requests are 64 KB steps'),
  billed: z.array(z.strictObject({ path: z.enum(pathNames as [string, ...string[]]), usage: units })).describe('priced items of the run'),
  fleet: z.strictObject({ devices: amount, sent: amount, acked: amount, failed: amount, dropped: amount }),
  ledger: z.strictObject({
    ...{ accepted: amount, delivered: amount, unmatched: amount, dead: amount, queued: amount, balanced: z.boolean() },
    ...{ split: amount.default(0), lost: amount.default(0) },
  }),
  problems: z.array(z.string()),
})

const runSchema = z.strictObject({
  kind: z.literal('weir cost run', 'this is not a run'),
  version: z.literal(1),
  at: z.iso.datetime(),
  seed: z.union([z.number(), z.string()]),
  tls: z.string(),
  platform: z.string().describe('system and Node'),
  devices: amount,
  intervalMs: amount,
  transports: z.array(measurement).min(1),
})

export type Measurement = z.infer<typeof measurement>
export type Run = z.infer<typeof runSchema>

/** Throws a CostError with one sentence when the file is not there, not JSON, or not a run. */
export async function readRun(file: string): Promise<Run> {
  const value = await readJsonFile(file, (text, cause) => new CostError(text, 2, { cause }))
  if ((value as { kind?: unknown } | null)?.kind !== 'weir cost run')
    throw new CostError(`${file} is not a run that weir cost run --out wrote`)
  return parseAs(runSchema, value, file, (problems) => new CostError(problems))
}

/**
 * Measured wires, for every protocol that the run has; the model for the others. For a message of another size than the measured
 * one, a measured part is shifted by what the model says the difference is.
 */
export function measuredWires({ transports }: Run): WireOf {
  return (path, workload) => {
    const { kind, ...connection } = connectionOf(path, workload) as { readonly kind: string; readonly messages?: number }
    const isReconnecting = kind === 'per-messages' && connection.messages === 1
    const spoken = transports.filter(({ protocol }) => protocol === path.protocol)
    const measured = spoken.find(({ reconnecting }) => reconnecting === isReconnecting) ?? spoken[0]
    return measured ? shifted(measured, path, workload) : wireOf(path, workload)
  }
}

function shifted(measured: Measurement, path: Path, workload: Workload): Wire {
  const connection = connectionOf(path, workload)
  const here = modelWire(path.protocol, workload, connection, path.basicIngest ?? false)
  const there = modelWire(path.protocol, { ...workload, ...measured.message, readingsPerMessage: 1 }, connection)
  const shift = (found: Bytes, of: (wire: Wire) => Bytes): Bytes => ({
    up: Math.max(0, found.up + (of(here).up - of(there).up)),
    down: Math.max(0, found.down + (of(here).down - of(there).down)),
  })
  const message = Object.fromEntries(messageParts.map((part) => [part, shift(measured.parts[part], ({ parts }) => parts[part])])) as Record<
    MessagePart,
    Bytes
  >
  const perSession = shift(measured.perSession, (wire) => wire.perSession)
  const perKeepAlive = measured.perKeepAlive ?? here.perKeepAlive
  return composeWire('measured', { message, perSession, perKeepAlive }, workload, connection)
}

/** Bytes of one message by itself: no share of sessions and keep-alives. */
export function bytesOfMessage({ parts }: Measurement): Bytes {
  return addBytes(...messageParts.map((part) => parts[part]))
}

/** The workload of the run's own messages, for a fleet of the usual size. */
export function workloadOf({ transports }: Run): Workload {
  const { payloadBytes, topicBytes, qos } = transports[0]!.message
  return parseWorkload({ payloadBytes: Math.max(1, Math.round(payloadBytes)), topicBytes: Math.max(1, Math.round(topicBytes)), qos })
}
