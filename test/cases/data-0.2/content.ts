// The messages and session entries that the data directory of version 0.2 was written from.
import type { Filter } from '../../../gateway/broker/routes.ts'
import type { Entry, KeptEntry } from '../../../gateway/broker/sessions/entry.ts'
import { type Message, type MqttProperties, type Source, transports } from '../../../gateway/message/message.ts'

/** Milliseconds since the epoch of the clock that both writer and tests use. */
export const writtenAt = Date.UTC(2026, 5, 1)

const properties: MqttProperties = {
  contentType: 'application/json',
  payloadFormatIndicator: true,
  responseTopic: 'cmd/res/é',
  correlationData: Buffer.from([0, 255, 9]),
  messageExpiryIntervalSeconds: 600,
  userProperties: [
    ['a', '1'],
    ['a', '2'],
  ],
}

/** An identity with every optional field, over another transport for each number. */
const sourceOf = (number: number): Source => ({
  clientId: `freezer-${number}`,
  transport: transports[number % transports.length]!,
  ...(number % 2 === 0 && { principal: `cert-${number}` }),
  ...(number % 3 === 0 && { sourceIp: '2001:db8::17' }),
  ...(number % 4 === 0 && { tenant: 'açme' }),
})

const toMessage = (number: number, change: Partial<Message> = {}): Message => ({
  id: String(number).padStart(26, '0'),
  topic: `dt/coldchain/acme/freezer-${number}/telemetry`,
  payload: Buffer.from(JSON.stringify({ seq: number })),
  qos: 1,
  retain: false,
  receivedAt: writtenAt + number + 0.5,
  source: sourceOf(number),
  hops: 0,
  ...change,
})

const special: Readonly<Record<number, Partial<Message>>> = {
  3: { qos: 0 },
  5: { retain: true },
  7: { payload: Buffer.alloc(0) },
  9: { payload: Buffer.alloc(5_000, 'ab\0') },
  11: { hops: 7 },
  13: { trace: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' },
  15: { properties },
  17: { properties: { userProperties: [['a', '']] }, trace: '00-1', hops: 1, retain: true, qos: 0 },
  19: { topic: 'dt/açme/🧊/telemetry', payload: Buffer.from([0, 255, 1, 254]) },
  21: { id: 'née-21', properties: { payloadFormatIndicator: false, correlationData: Buffer.alloc(0) } },
}

/** Written by the first run: one by one. */
export const single: readonly Message[] = Array.from({ length: 24 }, (_, i) => toMessage(i + 1, special[i + 1]))
/** Written by the second run: in one write. */
export const batch: readonly Message[] = Array.from({ length: 12 }, (_, i) => toMessage(i + 25, special[i + 1]))
/** Numbers of the messages that were settled before the stop. */
export const settled: readonly number[] = [1, 2, 4, 26]
/** The segment that was removed between the runs, and the numbers of its messages. */
export const lostSegment = '000005.seg'
export const lost: readonly number[] = [22, 23, 24]

const filters: readonly Filter[] = [
  { topic: 'cmd/#', qos: 1 },
  { topic: '$share/workers/jobs/+', qos: 0 },
  { topic: 'state/é', qos: 1, noLocal: true, asPublished: true },
]

const kept: readonly KeptEntry[] = [
  {
    ...{ kind: 'kept', number: 1, retained: true, to: ['modern', 'plain'], flagged: ['modern'], topic: 'state/é', qos: 1 },
    ...{ payload: Buffer.from([0, 10, 255]), properties, expiresAt: writtenAt + 600_000.5 },
  },
  { kind: 'kept', number: 2, retained: false, to: ['plain'], topic: 'cmd/x', qos: 1, payload: Buffer.alloc(0) },
  { kind: 'kept', number: 3, retained: true, to: [], topic: 'state/x', qos: 0, payload: Buffer.from('{"on":\n true}') },
  { kind: 'kept', number: 4, retained: false, to: ['modern'], topic: 'cmd/large', qos: 1, payload: Buffer.alloc(3_000, 'ab\0') },
]

/** Written by the first run, and copied by the snapshot that begins the second. */
export const before: readonly Entry[] = [
  { kind: 'opened', client: 'modern', protocol: 5, fresh: true, expirySeconds: 3_600 },
  { kind: 'subscribed', client: 'modern', filters },
  { kind: 'opened', client: 'plain', protocol: 3, fresh: false, expirySeconds: null },
  { kind: 'subscribed', client: 'plain', filters: [...filters.slice(0, 1), { topic: 'old/#', qos: 1 }] },
  { kind: 'opened', client: 'over', protocol: 3, fresh: true, expirySeconds: 60 },
  ...kept.slice(0, 2),
]

/** Written by the second run. */
export const after: readonly Entry[] = [
  { kind: 'ended', client: 'over' },
  { kind: 'unsubscribed', client: 'plain', filters: ['old/#'] },
  ...kept.slice(2),
  { kind: 'kept', number: 5, retained: false, to: ['plain'], topic: 'cmd/released', qos: 1, payload: Buffer.from('x') },
  { kind: 'released', client: 'plain', numbers: [5] },
  { kind: 'left', client: 'plain', at: writtenAt + 1_000.25, expirySeconds: 86_400 },
]

/** The state that all entries add up to, as the snapshot of a later start writes it. */
export const state: readonly Entry[] = [
  { kind: 'opened', client: 'modern', protocol: 5, fresh: true, expirySeconds: 3_600 },
  { kind: 'subscribed', client: 'modern', filters },
  { kind: 'opened', client: 'plain', protocol: 3, fresh: true, expirySeconds: 86_400 },
  { kind: 'subscribed', client: 'plain', filters: filters.slice(0, 1) },
  { kind: 'left', client: 'plain', at: writtenAt + 1_000.25, expirySeconds: 86_400 },
  ...kept,
]
