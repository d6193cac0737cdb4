// What a workload costs a month over each path, or why that cannot be said.
import { CostError } from './errors.ts'
import { parseUsd } from './money.ts'
import { basisOf, type Path, type PathName, pathNames, paths, pathUsage, type WireOf, wireOf } from './paths.ts'
import { type Allowances, type Bill, type LineItem, leastCertain, priceUsage, type Usage } from './price.ts'
import { type Confidence, loadPriceBook, type PriceBook } from './price-book.ts'
import type { Wire } from './wire.ts'
import type { Workload } from './workload.ts'

export interface Estimate extends Bill {
  readonly path: PathName
  readonly title: string
  readonly usage: Usage
  readonly wire: Wire
  /** The least certain price in the bill. */
  readonly confidence: Confidence
  readonly assumes: readonly string[]
}

/** A path without a price, or one that cannot carry the workload. */
export interface Unpriced {
  readonly path: PathName
  readonly title: string
  readonly reason: string
}

export interface Comparison {
  readonly workload: Workload
  readonly book: PriceBook
  readonly allowances: Allowances
  /** Of bytes on the wire. */
  readonly basis: ReturnType<typeof basisOf>
  /** Cheapest first. */
  readonly estimates: readonly Estimate[]
  readonly unpriced: readonly Unpriced[]
}

/** Throws a CostError (PriceMissing among them) when this path has no answer. */
export function estimatePath(
  name: PathName,
  workload: Workload,
  book: PriceBook,
  allowances: Allowances = 'none',
  wires: WireOf = wireOf,
): Estimate {
  const path: Path = paths[name]
  const wire = wires(path, workload)
  const usage = pathUsage(path, workload, book, () => wire)
  const bill = priceUsage(usage, book, allowances)
  const lineItems = [...bill.lineItems, ...labour(path, workload)]
  return {
    path: name,
    title: path.title,
    usage,
    wire,
    lineItems,
    totalNanoDollars: lineItems.reduce((sum, { nanoDollars }) => sum + nanoDollars, 0n),
    confidence: leastCertain(lineItems.map(({ confidence }) => confidence)),
    assumes: path.assumes ? [path.assumes] : [],
  }
}

export function estimateAll(
  workload: Workload,
  names: readonly PathName[] = pathNames,
  allowances: Allowances = 'none',
  wires: WireOf = wireOf,
): Comparison {
  const book = loadPriceBook(workload.region)
  const estimates: Estimate[] = []
  const unpriced: Unpriced[] = []
  for (const path of names)
    try {
      estimates.push(estimatePath(path, workload, book, allowances, wires))
    } catch (error) {
      if (!(error instanceof CostError) || error.exitCode !== 1) throw error
      unpriced.push({ path, title: paths[path].title, reason: error.message })
    }
  estimates.sort((a, b) => Number(a.totalNanoDollars - b.totalNanoDollars))
  return { workload, book, allowances, basis: basisOf(wires, workload), estimates, unpriced }
}

/** Work is no item of a price book: it is whatever the reader says it is. */
function labour({ selfHosted }: Path, { labourUsd }: Workload): readonly LineItem[] {
  if (!selfHosted || labourUsd === 0) return []
  return [{ item: 'labour.month', quantity: 1, nanoDollars: parseUsd(labourUsd.toFixed(9)), confidence: 'verified' }]
}
