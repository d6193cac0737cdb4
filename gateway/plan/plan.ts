// What an outage asks of a fleet's gateway: disk, time to be level again, time to be connected again, and room under AWS's quotas.
import { formatDuration, formatSize } from '../../lib/units.ts'
import { quotas } from '../access/quotas.ts'
import { fifoMessagesPerSecond, type Load, type Margin, marginsOf, messagesPerSecond, type RegionSize } from './quotas.ts'
import { type Reading, recordBytes, spoolSize } from './spool.ts'

export interface Situation {
  readonly load: Load
  readonly reading: Reading
  readonly region: RegionSize
  /** Milliseconds in which nothing is consumed, or nothing is delivered. */
  readonly outageMs: number
  /** CONNECTs a second of the whole fleet. */
  readonly connectsPerSecond: number
  /** spool.maxBytes of the gateway; absent: whatever is needed. */
  readonly spoolMaxBytes?: number
  /** How long a queue keeps a message. */
  readonly retentionMs: number
}

export interface Plan {
  readonly devices: number
  readonly intervalMs: number
  readonly outageMs: number
  readonly messagesPerSecond: number
  readonly backlogMessages: number
  readonly spool: {
    readonly recordBytes: number
    readonly bytes: number
    readonly files: number
    /** As given, or the default. */
    readonly maxBytes: number
    /** Milliseconds until a spool of maxBytes refuses; null: never within the outage. */
    readonly fullAfterMs: number | null
    /** A maxBytes that holds the outage with a tenth to spare, as QoS 0 is refused at nine tenths. */
    readonly neededMaxBytes: number
  }
  readonly recovery: {
    /** What consumers handle; through a FIFO queue no more than the queue gives. */
    readonly capacityPerSecond: number
    readonly sparePerSecond: number
    /** Milliseconds after the outage until the backlog is gone; null: never. */
    readonly ms: number | null
  }
  readonly connectStorm: {
    readonly connectsPerSecond: number
    readonly ms: number
    /** At the rate this size of Region allows. */
    readonly quotaPerSecond: number
    readonly atQuotaMs: number
  }
  readonly quotas: readonly Margin[]
  /** What does not hold, one sentence each. */
  readonly problems: readonly string[]
}

/** QoS 0 is refused beyond it. */
const qos0Share = 0.9
const MiB = 1024 ** 2
const defaultMaxBytes = 1024 * MiB
const mostSegmentBytes = 64 * MiB

export function planOf(situation: Situation): Plan {
  const { load, outageMs, region } = situation
  const arrivals = messagesPerSecond(load)
  const backlogMessages = Math.ceil((arrivals * outageMs) / 1_000)
  const parts = {
    devices: load.devices,
    intervalMs: load.intervalMs,
    outageMs,
    messagesPerSecond: arrivals,
    backlogMessages,
    spool: spoolOf(situation, backlogMessages, arrivals),
    recovery: recoveryOf(capacityOf(load), arrivals, backlogMessages),
    connectStorm: stormOf(situation),
    quotas: marginsOf(load, region),
  }
  return { ...parts, problems: problemsOf(parts, situation) }
}

function spoolOf(
  { reading, spoolMaxBytes: maxBytes = defaultMaxBytes, outageMs }: Situation,
  messages: number,
  arrivals: number,
): Plan['spool'] {
  const each = recordBytes(reading)
  const { bytes, files } = spoolSize(messages, each, Math.min(mostSegmentBytes, Math.floor(maxBytes / 4)))
  const fullAfterMs = bytes <= maxBytes ? null : Math.min(outageMs, Math.floor((maxBytes / each / arrivals) * 1_000))
  return { recordBytes: each, bytes, files, maxBytes, fullAfterMs, neededMaxBytes: Math.ceil(bytes / qos0Share) }
}

const capacityOf = ({ capacityPerSecond, queue }: Load): number =>
  queue === 'fifo' ? Math.min(capacityPerSecond, fifoMessagesPerSecond) : capacityPerSecond

/** Backlog over spare rate: what arrives meanwhile has to be handled as well. */
function recoveryOf(capacityPerSecond: number, arrivals: number, backlog: number): Plan['recovery'] {
  const sparePerSecond = capacityPerSecond - arrivals
  return { capacityPerSecond, sparePerSecond, ms: sparePerSecond > 0 ? Math.ceil((backlog / sparePerSecond) * 1_000) : null }
}

/** Perfectly spaced; each device may try once a second, so no rate connects a fleet faster than that. */
function stormOf({ load: { devices }, connectsPerSecond, region }: Situation): Plan['connectStorm'] {
  const quotaPerSecond = region === 'large' ? quotas.connectsPerSecond.value : 100
  const at = (perSecond: number) => Math.ceil((devices / perSecond) * 1_000)
  return { connectsPerSecond, ms: at(connectsPerSecond), quotaPerSecond, atQuotaMs: at(quotaPerSecond) }
}

function problemsOf(
  { spool, recovery, quotas, messagesPerSecond }: Omit<Plan, 'problems'>,
  { outageMs, retentionMs, spoolMaxBytes }: Situation,
): readonly string[] {
  const number = (value: number) => value.toLocaleString('en-US', { maximumFractionDigits: 1 })
  return [
    ...(recovery.ms === null
      ? [
          `it never recovers: consumers handle ${number(recovery.capacityPerSecond)}/s and ${number(messagesPerSecond)}/s arrive, so the backlog ${recovery.sparePerSecond === 0 ? 'stays' : 'grows'}`,
        ]
      : []),
    ...(spool.fullAfterMs === null || spoolMaxBytes === undefined
      ? []
      : [
          `a spool of ${formatSize(spool.maxBytes)} is full after ${formatDuration(spool.fullAfterMs)} and then refuses: set spool.maxBytes to ${formatSize(spool.neededMaxBytes)}`,
        ]),
    ...(outageMs > retentionMs
      ? [`queues keep messages ${formatDuration(retentionMs)}: what waits longer is gone; raise their retention, 14d at most`]
      : []),
    ...quotas
      .filter(({ share }) => share > 1)
      .map(({ name, used, limit, unit, per }) => `${name} is over the quota: ${number(used)} of ${number(limit)} ${unit} for each ${per}`),
  ]
}
