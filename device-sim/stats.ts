// Latencies as histograms, in microseconds inside and milliseconds outside.
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'

export interface Latencies {
  readonly count: number
  readonly p50: number
  readonly p95: number
  readonly p99: number
  readonly max: number
}

const highest = 3_600_000_000

/** Three digits are exact, up to an hour. */
export function createLatencies(): RecordableHistogram {
  return createHistogram({ lowest: 1, highest, figures: 3 })
}

export function recordMs(histogram: RecordableHistogram, ms: number): void {
  histogram.record(Math.min(highest, Math.max(1, Math.round(ms * 1_000))))
}

/** Undefined when nothing was recorded: no figure is not the figure zero. */
export function summarize(histogram: RecordableHistogram): Latencies | undefined {
  if (histogram.count === 0) return undefined
  const ms = (percentile: number) => Math.min(histogram.percentile(percentile), histogram.max) / 1_000
  return { count: histogram.count, p50: ms(50), p95: ms(95), p99: ms(99), max: histogram.max / 1_000 }
}
