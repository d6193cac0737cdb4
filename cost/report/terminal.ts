// The report on a terminal: one table, the crossovers, and what to distrust.
import type { Crossover } from '../crossover.ts'
import type { Comparison, Estimate } from '../estimate.ts'
import { formatCount, formatInterval, formatRanges } from '../format.ts'
import type { Run } from '../measurement.ts'
import { formatUsd } from '../money.ts'
import { textTable } from '../table.ts'
import { bytesOnWire } from './bytes.ts'
import { byCategory, categories } from './categories.ts'
import { describeRun, measuredTables } from './measured.ts'

export function formatComparison(comparison: Comparison): string {
  const { estimates, unpriced } = comparison
  const parts = usedCategories(comparison)
  const header = ['path', 'USD a month', 'a device', ...parts, 'bytes a message', 'prices']
  const rows = estimates.map((estimate) => comparisonRow(estimate, comparison, parts))
  const reasons = unpriced.map(({ title, reason }) => `  not priced: ${title}: ${reason}`)
  return [describe(comparison), '', textTable(header, rows, [0, header.length - 1]), ...(reasons.length > 0 ? ['', ...reasons] : [])].join(
    '\n',
  )
}

/** What a run counted, before what it comes to. */
export function formatRun(run: Run): string {
  const [bytes] = measuredTables(run)
  return [`${describeRun(run)}.`, '', textTable(bytes!.header, bytes!.rows, bytes!.left)].join('\n')
}

export function formatMeasuredTables(run: Run): string {
  return measuredTables(run)
    .slice(1)
    .map(({ title, header, rows, left }) => [title, '', textTable(header, rows, left)].join('\n'))
    .join('\n\n')
}

export function formatCrossovers(crossovers: readonly Crossover[]): string {
  const rows = crossovers.map((found) => [found.axis, `${found.paths[0]} / ${found.paths[1]}`, formatRanges(found)])
  return ['Which is cheaper, over interval, fleet or payload', '', textTable(['over', 'pair', 'cheaper'], rows, [0, 1, 2])].join('\n')
}

/** One sentence that every format begins with. */
export function describe({ workload, book, basis }: Comparison): string {
  const { devices, payloadBytes, intervalMs, qos, readingsPerMessage } = workload
  const packed = readingsPerMessage > 1 ? `, ${readingsPerMessage} readings a message` : ''
  return `${formatCount(devices)} devices, ${payloadBytes} bytes every ${formatInterval(intervalMs)}${packed}, QoS ${qos}, ${book.region}, prices of ${book.asOf}; bytes on the wire are ${basis}`
}

export function usedCategories({ estimates }: Comparison) {
  return categories.filter((category) => estimates.some(({ lineItems }) => byCategory(lineItems)[category] > 0n))
}

export function comparisonRow(estimate: Estimate, { workload }: Comparison, parts: ReturnType<typeof usedCategories>): readonly string[] {
  const sums = byCategory(estimate.lineItems)
  return [
    `${estimate.title} (${estimate.path})`,
    formatUsd(estimate.totalNanoDollars),
    formatUsd(estimate.totalNanoDollars / BigInt(workload.devices)),
    ...parts.map((part) => (sums[part] === 0n ? '-' : formatUsd(sums[part]))),
    formatCount(bytesOnWire(estimate.wire)),
    estimate.confidence,
  ]
}
