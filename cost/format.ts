// Points on the axes and crossovers, as a person would say them.
import { type AxisName, axes, type Crossover } from './crossover.ts'

/** 803029 → `13.38 min`. */
export function formatInterval(ms: number): string {
  const [size, unit] = ms < 60_000 ? [1_000, 's'] : ms < 3_600_000 ? [60_000, 'min'] : [3_600_000, 'h']
  return `${significant(ms / size)} ${unit}`
}

export const formatCount = (n: number): string => Math.round(n).toLocaleString('en-US')

export function formatPoint(axis: AxisName, n: number): string {
  if (axis === 'interval') return formatInterval(n)
  const one = axis === 'devices' ? 'device' : 'byte'
  return `${formatCount(n)} ${one}${Math.round(n) === 1 ? '' : 's'}`
}

const shown = 4

/** `iot-mqtt up to 17.88 s, then api-http-sqs`; a long row of turns is cut, its number kept. */
export function formatRanges({ axis, ranges, turns }: Crossover): string {
  const [first, ...rest] = ranges
  if (rest.length === 0) return `always ${first!.cheaper}`
  const at = (to: number) => formatPoint(axis, turns.find(({ before }) => before === to)?.at ?? to)
  const parts = ranges.slice(0, shown).map(({ to, cheaper }, i) => (i === ranges.length - 1 ? cheaper : `${cheaper} up to ${at(to)}`))
  const more = ranges.length > shown ? [`… (${turns.length} turns, the last at ${at(ranges.at(-2)!.to)} to ${ranges.at(-1)!.cheaper})`] : []
  return [...parts, ...more].join(', then ')
}

/** Where the domain of an axis begins and ends, as the condition of an `always`. */
export function formatDomain(axis: AxisName): string {
  const [from, to] = axes[axis].domain
  return `${formatPoint(axis, from)} to ${formatPoint(axis, to)}`
}

function significant(n: number): string {
  return Number(n.toPrecision(4)).toLocaleString('en-US', { maximumFractionDigits: 4 })
}
