// The report for programs: dollars as numbers, everything else as it is.
import type { Crossover } from '../crossover.ts'
import type { Comparison, Estimate } from '../estimate.ts'
import { formatRanges } from '../format.ts'
import { toUsd } from '../money.ts'
import type { Report } from './report.ts'

export function comparisonJson({ workload, book, allowances, basis, estimates, unpriced }: Comparison) {
  return {
    workload,
    region: book.region,
    pricesAsOf: book.asOf,
    allowances,
    basis,
    paths: estimates.map((estimate) => estimateJson(estimate, workload.devices)),
    unpriced,
  }
}

function estimateJson({ path, title, totalNanoDollars, lineItems, confidence, assumes, wire }: Estimate, devices: number) {
  return {
    path,
    title,
    totalUsd: toUsd(totalNanoDollars),
    perDeviceUsd: toUsd(totalNanoDollars) / devices,
    lineItems: lineItems.map(({ item, quantity, nanoDollars, confidence }) => ({ item, quantity, usd: toUsd(nanoDollars), confidence })),
    confidence,
    assumes,
    wire,
  }
}

export function crossoverJson(found: Crossover) {
  const { axis, paths, ranges, turns } = found
  return { axis, paths, ranges, turns, text: formatRanges(found) }
}

export function reportJson({ comparison, crossovers, workload: _, ...rest }: Report) {
  return { ...comparisonJson(comparison), crossovers: crossovers.map(crossoverJson), ...rest }
}
