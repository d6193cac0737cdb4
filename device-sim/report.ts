// What a run has to say: figures while it goes on, a report at its end, and that report as a table for people.
import { formatDuration, formatSize } from '../lib/units.ts'
import type { FaultKind } from './faults.ts'
import type { Latencies } from './stats.ts'
import type { ThresholdResult } from './thresholds.ts'
import type { Delivered } from './verify.ts'
import type { WorstDevice } from './worst.ts'

interface Figures {
  readonly devices: number
  /** Readings handed to a session; each ends as acked (QoS 1), failed, or simply sent (QoS 0). */
  readonly sent: number
  readonly acked: number
  readonly failed: number
  /** Readings the plan had and the fleet could not start in time: device offline, its window full, or the fleet too late. */
  readonly dropped: number
  /** Readings that started more than 100 ms after their time. */
  readonly late: number
  readonly bytesSent: number
  readonly bytesReceived: number
  readonly elapsedMs: number
  /** Connections that the broker ended because another client connected with the same id: MQTT 5 says so. */
  readonly takenOver: number
  /** Connections that the other side ended within 5 s of a connect, at least twice in a row. */
  readonly shortLived: number
  /** From handing a QoS 1 reading to the session to its acknowledgement. */
  readonly ackMs?: Latencies
}

export interface FleetProgress extends Figures {
  /** Devices connected now. */
  readonly connected: number
  /** When the run will end, on the scale of `elapsedMs`; known once all are connected. */
  readonly durationMs?: number
  readonly worst?: readonly WorstDevice[]
}

export interface FleetReport extends Figures {
  readonly seed: string | number
  readonly protocol: string
  readonly target: string
  /** Devices that were connected at least once. */
  readonly connected: number
  readonly reconnects: number
  /** How often each kind of fault struck. */
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>
  readonly connectMs?: Latencies
  /** How long after its time each reading started. */
  readonly lateMs?: Latencies
  /** What became of the readings at the far end, when somebody followed them there. */
  readonly delivered?: Delivered
  readonly thresholds: readonly ThresholdResult[]
}

export function formatReport(report: FleetReport): string {
  const perSecond = report.elapsedMs > 0 ? Math.round((report.sent * 1_000) / report.elapsedMs) : 0
  const rows: readonly (readonly [string, string] | undefined)[] = [
    ['target', `${report.target} (${report.protocol})`],
    ['seed', String(report.seed)],
    ['devices', `${report.connected} of ${report.devices} connected${report.reconnects ? `, ${report.reconnects} reconnects` : ''}`],
    takeoverRow(report),
    ['elapsed', `${formatDuration(report.elapsedMs)}, ${perSecond} readings/s`],
    ['sent', String(report.sent)],
    ['acked', String(report.acked)],
    ['failed', String(report.failed)],
    ['dropped', `${report.dropped}${report.late ? ` (and ${report.late} late)` : ''}`],
    ['bytes', `${formatSize(report.bytesSent)} sent, ${formatSize(report.bytesReceived)} received`],
    Object.keys(report.faults).length
      ? [
          'faults',
          Object.entries(report.faults)
            .map(([kind, n]) => `${n} ${kind}`)
            .join(', '),
        ]
      : undefined,
    latencyRow('ack', report.ackMs),
    latencyRow('connect', report.connectMs),
    ...deliveredRows(report.delivered),
    ...report.thresholds.map(({ threshold, value, ok }) => [ok ? 'passed' : 'MISSED', `${threshold} (${value ?? 'no figure'})`] as const),
  ]
  return rows
    .filter((row) => row !== undefined)
    .map(([name, value]) => `${name.padEnd(10)}${value}`)
    .join('\n')
}

/** What to do about devices that another client throws out; undefined: none were. */
export function takeoverText({ takenOver, shortLived }: Pick<Figures, 'takenOver' | 'shortLived'>): string | undefined {
  const own = 'give this fleet names of its own with --first-device or --prefix'
  if (takenOver > 0) return `${takenOver} connections were taken over by clients with the same ids: ${own}`
  if (shortLived === 0) return undefined
  return `${shortLived} connections were ended within 5 s, again and again: another fleet may use the same client ids (${own}), or the broker refuses what the devices send (its log says what)`
}

function takeoverRow(report: FleetReport): readonly [string, string] | undefined {
  const text = takeoverText(report)
  return text === undefined ? undefined : ['warning', text]
}

function latencyRow(name: string, latencies: Latencies | undefined): readonly [string, string] | undefined {
  if (!latencies) return undefined
  const { p50, p95, p99, max } = latencies
  return [name, [p50, p95, p99, max].map((ms, i) => `${['p50', 'p95', 'p99', 'max'][i]} ${ms.toFixed(2)} ms`).join('  ')]
}

function deliveredRows(delivered: Delivered | undefined): readonly (readonly [string, string] | undefined)[] {
  if (!delivered) return []
  const { arrived, lost, duplicated, outOfOrder, endToEndMs } = delivered
  return [['arrived', `${arrived}, ${lost} lost, ${duplicated} duplicated, ${outOfOrder} out of order`], latencyRow('far end', endToEndMs)]
}
