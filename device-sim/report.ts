// The summary of a run as a table for people.
import { formatDuration, formatSize } from '../lib/units.ts'
import type { FleetReport } from './fleet.ts'
import type { Latencies } from './stats.ts'

export function formatReport(report: FleetReport): string {
  const perSecond = report.elapsedMs > 0 ? Math.round((report.sent * 1_000) / report.elapsedMs) : 0
  const rows: readonly (readonly [string, string] | undefined)[] = [
    ['target', `${report.target} (${report.protocol})`],
    ['seed', String(report.seed)],
    ['devices', `${report.connected} of ${report.devices} connected${report.reconnects ? `, ${report.reconnects} reconnects` : ''}`],
    ['elapsed', `${formatDuration(report.elapsedMs)}, ${perSecond} readings/s`],
    ['sent', String(report.sent)],
    ['acked', String(report.acked)],
    ['failed', String(report.failed)],
    ['dropped', `${report.dropped}${report.late ? ` (and ${report.late} late)` : ''}`],
    ['bytes', `${formatSize(report.bytesSent)} sent, ${formatSize(report.bytesReceived)} received`],
    latencyRow('ack', report.ackMs),
    latencyRow('connect', report.connectMs),
    ...report.thresholds.map(({ threshold, value, ok }) => [ok ? 'passed' : 'MISSED', `${threshold} (${value ?? 'no figure'})`] as const),
  ]
  return rows
    .filter((row) => row !== undefined)
    .map(([name, value]) => `${name.padEnd(10)}${value}`)
    .join('\n')
}

function latencyRow(name: string, latencies: Latencies | undefined): readonly [string, string] | undefined {
  if (!latencies) return undefined
  const { p50, p95, p99, max } = latencies
  return [name, [p50, p95, p99, max].map((ms, i) => `${['p50', 'p95', 'p99', 'max'][i]} ${ms.toFixed(2)} ms`).join('  ')]
}
