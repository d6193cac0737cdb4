// `weir cost sweep`: the same workload with one thing changed, a column for each value.
import { parseDuration } from '../../lib/units.ts'
import { type AxisName, axes } from '../crossover.ts'
import { CostError } from '../errors.ts'
import { estimateAll } from '../estimate.ts'
import { formatPoint } from '../format.ts'
import { formatUsd, toUsd } from '../money.ts'
import { type PathName, pathNames, paths } from '../paths.ts'
import type { Allowances } from '../price.ts'
import { textTable } from '../table.ts'
import { parseWorkload, type Workload } from '../workload.ts'

export interface Sweep {
  readonly over: AxisName
  readonly values: readonly number[]
  /** Undefined where the path has no price at that value. */
  readonly rows: readonly { readonly path: PathName; readonly nanoDollars: readonly (bigint | undefined)[] }[]
}

const usual: Readonly<Record<AxisName, string>> = {
  interval: '1s,10s,1m,10m,1h,24h',
  devices: '10,100,1000,10000,100000,1000000',
  payload: '100,1000,5000,6000,20000,40000',
}

export function sweep(
  over: AxisName,
  workload: Workload,
  names: readonly PathName[] = pathNames,
  allowances: Allowances = 'none',
  list?: string,
): Sweep {
  const values = (list ?? usual[over]).split(',').map((text) => readPoint(over, text.trim()))
  const all = values.map((value) => {
    const { estimates } = estimateAll(parseWorkload({ ...workload, [axes[over].field]: value }), names, allowances)
    return new Map(estimates.map(({ path, totalNanoDollars }) => [path, totalNanoDollars]))
  })
  return { over, values, rows: names.map((path) => ({ path, nanoDollars: all.map((found) => found.get(path)) })) }
}

/** A number of devices or bytes, or a duration. */
export function readPoint(axis: AxisName, text: string): number {
  const value = axis === 'interval' ? parseDuration(text) : Number(text)
  if (value !== undefined && Number.isInteger(value) && value > 0) return value
  throw new CostError(
    `"${text}" is not a value for ${axis}; expected ${axis === 'interval' ? 'a duration such as 10s' : 'a whole number above 0'}`,
  )
}

export function formatSweep({ over, values, rows }: Sweep): string {
  const header = ['path, USD a month', ...values.map((value) => formatPoint(over, value))]
  const cells = rows.map(({ path, nanoDollars }) => [
    `${paths[path].title} (${path})`,
    ...nanoDollars.map((nanos) => (nanos === undefined ? 'not priced' : formatUsd(nanos))),
  ])
  return textTable(header, cells)
}

export function sweepJson({ over, values, rows }: Sweep) {
  return {
    over,
    values,
    paths: rows.map(({ path, nanoDollars }) => ({ path, usd: nanoDollars.map((nanos) => (nanos === undefined ? null : toUsd(nanos))) })),
  }
}
