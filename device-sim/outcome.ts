// What a run came to, in a form that can be added to that of another process; the report is made of the sum.
import type { RecordableHistogram } from 'node:perf_hooks'
import type { FaultKind } from './faults.ts'
import type { Counts } from './publisher.ts'
import type { FleetReport } from './report.ts'
import { createLatencies, summarize } from './stats.ts'
import { checkThresholds, type Threshold } from './thresholds.ts'
import type { DeliveredCounts } from './verify.ts'

export interface Outcome {
  /** Numbers that add up. */
  readonly totals: Counts & {
    readonly devices: number
    readonly connected: number
    readonly reconnects: number
    readonly takenOver: number
    readonly shortLived: number
    readonly bytesSent: number
    readonly bytesReceived: number
  }
  readonly elapsedMs: number
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>
  readonly delivered: DeliveredCounts | undefined
  readonly latencies: {
    readonly ackMs: RecordableHistogram
    readonly connectMs: RecordableHistogram
    readonly lateMs: RecordableHistogram
    readonly endToEndMs: RecordableHistogram
  }
}

/** The processes ran side by side: their counts add up, their times do not. */
export function mergeOutcomes(outcomes: readonly Outcome[]): Outcome {
  const latencies = { ackMs: createLatencies(), connectMs: createLatencies(), lateMs: createLatencies(), endToEndMs: createLatencies() }
  for (const outcome of outcomes) {
    for (const name of Object.keys(latencies) as (keyof typeof latencies)[])
      if (outcome.latencies[name].count) latencies[name].add(outcome.latencies[name])
  }
  const delivered = outcomes.flatMap((outcome) => outcome.delivered ?? [])
  return {
    totals: sum(outcomes.map(({ totals }) => totals)),
    elapsedMs: Math.max(...outcomes.map(({ elapsedMs }) => elapsedMs)),
    faults: sum(outcomes.map(({ faults }) => faults)),
    delivered: delivered.length ? mergeDelivered(delivered) : undefined,
    latencies,
  }
}

export function toReport(
  { totals, elapsedMs, faults, delivered, latencies }: Outcome,
  about: Pick<FleetReport, 'seed' | 'protocol' | 'target'>,
  thresholds: readonly Threshold[],
): FleetReport {
  const report = {
    ...about,
    ...totals,
    elapsedMs,
    faults,
    ...optional('ackMs', summarize(latencies.ackMs)),
    ...optional('connectMs', summarize(latencies.connectMs)),
    ...optional('lateMs', summarize(latencies.lateMs)),
    ...optional('delivered', delivered && { ...delivered, ...optional('endToEndMs', summarize(latencies.endToEndMs)) }),
  }
  return { ...report, thresholds: checkThresholds(thresholds, report) }
}

/** Leaves the key out where there is no value. */
export function optional<K extends string, V>(key: K, value: V | undefined): { readonly [key in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [key in K]: V })
}

/** Every process saw the readings of all the others, and did not know them. */
function mergeDelivered(delivered: readonly DeliveredCounts[]): DeliveredCounts {
  const total = sum(delivered)
  return { ...total, unknown: Math.max(0, total.unknown - (delivered.length - 1) * (total.arrived + total.duplicated)) }
}

function sum<T extends object>(items: readonly T[]): T {
  const total: Record<string, number> = {}
  for (const item of items) for (const [key, value] of Object.entries(item)) total[key] = (total[key] ?? 0) + value
  return total as T
}
