// AWS quotas that a fleet as a whole can meet, and how much of each it uses.
import { quotas } from '../access/quotas.ts'

/** What a fleet asks of the cloud when nothing is wrong. */
export interface Load {
  readonly devices: number
  /** Milliseconds between two readings of one device. */
  readonly intervalMs: number
  readonly payloadBytes: number
  /** Topic filters each device holds. */
  readonly subscriptions: number
  /** Rules in the account, 0 where nobody knows, and how many of them look at one message. */
  readonly rules: number
  readonly rulesPerMessage: number
  readonly keepAliveSeconds: number
  /** Messages a second that consumers can handle, and milliseconds one is in their hands. */
  readonly capacityPerSecond: number
  readonly handlingMs: number
  readonly queue: 'standard' | 'fifo'
}

/** AWS gives the larger Regions more. */
export type RegionSize = 'large' | 'small'

export interface Margin {
  readonly name: QuotaName
  readonly means: string
  readonly unit: string
  readonly per: 'account' | 'connection' | 'message' | 'queue'
  readonly used: number
  readonly limit: number
  /** Used over limit: above 1 does not fit. */
  readonly share: number
  readonly adjustable: boolean
}

interface AccountQuota {
  readonly means: string
  readonly unit: string
  readonly per: Margin['per']
  readonly limits: Readonly<Record<RegionSize, number>>
  readonly adjustable: boolean
  /** undefined: this fleet does not come near it at all. */
  readonly used: (load: Load) => number | undefined
}

export const messagesPerSecond = ({ devices, intervalMs }: Load): number => (devices * 1_000) / intervalMs

/** CONNECTs a second to count on: newer accounts are given more in large Regions, older ones may not be. */
export const usualConnectsPerSecond = 500

/** In batches of ten, 300 calls a second [AWS SQS quotas]. */
export const fifoMessagesPerSecond = 3_000

const everywhere = (limit: number) => ({ large: limit, small: limit })

/** [AWS IoT Core endpoints and quotas; AWS SQS quotas] */
const table = {
  connections: {
    means: 'devices connected at a time',
    unit: 'connections',
    per: 'account',
    limits: { large: 500_000, small: 100_000 },
    adjustable: true,
    used: ({ devices }) => devices,
  },
  inboundPublishesPerSecond: {
    means: 'publishes of all devices',
    unit: '1/s',
    per: 'account',
    limits: { large: quotas.inboundPublishesPerSecond.value, small: 2_000 },
    adjustable: true,
    used: messagesPerSecond,
  },
  ruleEvaluationsPerSecond: {
    means: 'rules run on messages',
    unit: '1/s',
    per: 'account',
    limits: { large: 20_000, small: 2_000 },
    adjustable: true,
    used: (load) => messagesPerSecond(load) * load.rulesPerMessage,
  },
  rules: {
    means: 'rules',
    unit: 'rules',
    per: 'account',
    limits: everywhere(1_000),
    adjustable: true,
    used: ({ rules }) => rules || undefined,
  },
  subscriptions: {
    means: 'topic filters held by all devices',
    unit: 'filters',
    per: 'account',
    limits: { large: 500_000, small: 100_000 },
    adjustable: true,
    used: ({ devices, subscriptions }) => devices * subscriptions,
  },
  subscriptionsPerConnection: {
    means: 'topic filters of one device',
    unit: 'filters',
    per: 'connection',
    limits: everywhere(quotas.subscriptionsPerConnection.value),
    adjustable: true,
    used: ({ subscriptions }) => subscriptions,
  },
  publishesPerSecond: {
    means: 'publishes of one device',
    unit: '1/s',
    per: 'connection',
    limits: everywhere(quotas.publishesPerSecond.value),
    adjustable: false,
    used: ({ intervalMs }) => 1_000 / intervalMs,
  },
  bytesPerSecond: {
    means: 'payload bytes of one device',
    unit: 'bytes/s',
    per: 'connection',
    limits: everywhere(quotas.bytesPerSecond.value),
    adjustable: false,
    used: ({ intervalMs, payloadBytes }) => (payloadBytes * 1_000) / intervalMs,
  },
  payloadBytes: {
    means: 'payload of one publish',
    unit: 'bytes',
    per: 'message',
    limits: everywhere(quotas.payloadBytes.value),
    adjustable: false,
    used: ({ payloadBytes }) => payloadBytes,
  },
  sqsInFlight: {
    means: 'messages in the hands of consumers',
    unit: 'messages',
    per: 'queue',
    limits: everywhere(120_000),
    adjustable: true,
    used: ({ capacityPerSecond, handlingMs }) => (capacityPerSecond * handlingMs) / 1_000,
  },
  fifoMessagesPerSecond: {
    means: 'messages through a FIFO queue in batches, without high-throughput mode',
    unit: '1/s',
    per: 'queue',
    limits: everywhere(fifoMessagesPerSecond),
    adjustable: false,
    used: (load) => (load.queue === 'fifo' ? messagesPerSecond(load) : undefined),
  },
} as const satisfies Readonly<Record<string, AccountQuota>>

export type QuotaName = keyof typeof table

/** Every quota this fleet has to do with, the fullest first. */
export function marginsOf(load: Load, region: RegionSize): readonly Margin[] {
  const margins = Object.entries<AccountQuota>(table).flatMap(([name, { limits, used: usedBy, means, unit, per, adjustable }]) => {
    const used = usedBy(load)
    const limit = limits[region]
    return used === undefined ? [] : [{ name: name as QuotaName, means, unit, per, used, limit, share: used / limit, adjustable }]
  })
  return margins.sort((a, b) => b.share - a.share)
}

/** What may be assumed of a fleet nobody described further. */
export const ordinaryLoad: Omit<Load, 'devices' | 'intervalMs'> = {
  payloadBytes: 200,
  subscriptions: 1,
  rules: 0,
  rulesPerMessage: 1,
  keepAliveSeconds: 300,
  capacityPerSecond: 0,
  handlingMs: 100,
  queue: 'standard',
}
