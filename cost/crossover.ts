// Where one path becomes cheaper than another: solved on every straight piece of both bills, never sampled.
//
//   cost │      ╱ B        A bill is made of straight pieces: between two kinks (a size step, a tier bound, one server more)
//        │   ╱╱            each quantity is a·t + b, with t = devices, bytes, or 1/interval. The pieces are found by bisection
//        │ ╱╱_____ A       on whole numbers, the tier bounds in closed form, and on each piece the one root is exact.
//        └───┴────── t
import { CostError } from './errors.ts'
import { estimatePath } from './estimate.ts'
import { type PathName, paths, pathUsage, type WireOf, wireOf } from './paths.ts'
import { loadPriceBook, type PriceBook, priceOf } from './price-book.ts'
import type { Workload } from './workload.ts'

interface Axis {
  readonly field: 'intervalMs' | 'devices' | 'payloadBytes'
  readonly domain: readonly [number, number]
  /** The variable in which quantities are straight lines, and its inverse. */
  toLinear(n: number): number
  fromLinear(t: number): number
}

const itself = (n: number) => n
/** Two bills with more kinks than this (a hundred thousand servers, say) take minutes, and nobody reads the answer. */
const maxPieces = 2_000

/** All three are whole numbers: milliseconds, devices, bytes. */
export const axes = {
  interval: { field: 'intervalMs', domain: [1_000, 86_400_000], toLinear: (ms) => 1 / ms, fromLinear: (t) => 1 / t },
  devices: { field: 'devices', domain: [1, 10_000_000], toLinear: itself, fromLinear: itself },
  payload: { field: 'payloadBytes', domain: [1, 131_072], toLinear: itself, fromLinear: itself },
} as const satisfies Record<string, Axis>

export type AxisName = keyof typeof axes

export interface Range {
  readonly from: number
  readonly to: number
  readonly cheaper: PathName | 'equal'
}

export interface Turn {
  /** Where the costs are equal, between two whole numbers; the last whole number before a jump otherwise. */
  readonly at: number
  readonly before: number
  readonly after: number
  readonly kind: 'equal' | 'step'
}

export interface Crossover {
  readonly axis: AxisName
  readonly paths: readonly [PathName, PathName]
  readonly workload: Workload
  /** The whole domain, in order, without gaps: who is cheaper where. */
  readonly ranges: readonly Range[]
  readonly turns: readonly Turn[]
}

export interface CrossoverOptions {
  /** As far as both paths can carry the message where left out. */
  readonly domain?: readonly [number, number] | undefined
  readonly wires?: WireOf
}

/** Throws a CostError when one of the two has no price somewhere in the domain. */
export function crossover(
  a: PathName,
  b: PathName,
  axis: AxisName,
  workload: Workload,
  { domain = domainOf(axis, workload, a, b), wires = wireOf }: CrossoverOptions = {},
): Crossover {
  const book = loadPriceBook(workload.region)
  const at = (n: number): Workload => ({ ...workload, [axes[axis].field]: n })
  const difference = remember((n: number) => costOf(a, at(n), book, wires) - costOf(b, at(n), book, wires))
  const ranges: Range[] = []
  const turns: Turn[] = []
  const add = (from: number, to: number, sign: number) => {
    const cheaper = sign < 0 ? a : sign > 0 ? b : 'equal'
    const last = ranges.at(-1)
    if (last?.cheaper === cheaper) ranges[ranges.length - 1] = { ...last, to }
    else ranges.push({ from, to, cheaper })
  }
  let end: number | undefined
  for (const [from, to] of straightPieces([a, b], axis, at, book, domain, wires)) {
    if (end !== undefined && signOf(difference(end)) !== signOf(difference(from)))
      turns.push({ at: end, before: end, after: from, kind: 'step' })
    const root = rootIn(from, to, difference, axes[axis])
    if (root) {
      turns.push(root)
      add(from, root.before, signOf(difference(from)))
      add(root.after, to, signOf(difference(to)))
    } else add(from, to, signOf(difference(from)) || signOf(difference(to)))
    end = to
  }
  return { axis, paths: [a, b], workload, ranges, turns }
}

/** The axis as far as both paths can carry the message. */
export function domainOf(axis: AxisName, workload: Workload, ...names: readonly PathName[]): readonly [number, number] {
  const [from, to] = axes[axis].domain
  if (axis !== 'payload') return [from, to]
  return [from, Math.min(to, ...names.map((name) => Math.floor(paths[name].maxBytes / workload.readingsPerMessage)))]
}

function costOf(name: PathName, workload: Workload, book: PriceBook, wires: WireOf): bigint {
  return estimatePath(name, workload, book, 'none', wires).totalNanoDollars
}

/** The root of a straight line that changes sign between two whole numbers. */
function rootIn(from: number, to: number, difference: (n: number) => bigint, { toLinear, fromLinear }: Axis): Turn | undefined {
  const [first, last] = [difference(from), difference(to)]
  if (signOf(first) * signOf(last) >= 0) return undefined
  const share = Number(first) / Number(first - last)
  const at = fromLinear(toLinear(from) + (toLinear(to) - toLinear(from)) * share)
  let before = Math.min(to - 1, Math.max(from, Math.floor(at)))
  while (before > from && signOf(difference(before)) !== signOf(first)) before--
  while (before < to - 1 && signOf(difference(before + 1)) === signOf(first)) before++
  return { at, before, after: before + 1, kind: 'equal' }
}

/** Ranges of whole numbers on which every quantity and every price of both paths is one straight line. */
function* straightPieces(
  names: readonly PathName[],
  axis: AxisName,
  at: (n: number) => Workload,
  book: PriceBook,
  [lowest, highest]: readonly [number, number],
  wires: WireOf,
): Generator<readonly [number, number]> {
  const usageAt = (n: number) => names.map((name) => pathUsage(paths[name], at(n), book, () => wires(paths[name], at(n))))
  const items = usageAt(lowest).flatMap((usage, path) => Object.keys(usage).map((item) => ({ path, item })))
  const quantities = remember((n: number) => {
    const usages = usageAt(n)
    return items.map(({ path, item }) => usages[path]![item] ?? 0)
  })
  const tiers = items.map(({ item }) => priceOf(book, item).tiers.flatMap(({ upTo }) => upTo ?? []))
  const isStraight = (from: number, to: number) => isLine(quantities, from, to, axes[axis])
  let length = 1
  let count = 0
  for (let from = lowest; from <= highest; ) {
    if (++count > maxPieces)
      throw new CostError(`${names.join(' and ')} have more than ${maxPieces} steps over ${axis}; narrow the range`, 1)
    const to = lastStraight(from, highest, length, isStraight)
    length = to - from + 1
    const bounds = tierBounds(quantities(from), quantities(to), from, to, tiers, axes[axis])
    let start = from
    for (const bound of bounds) {
      yield [start, bound]
      start = bound + 1
    }
    yield [start, to]
    from = to + 1
  }
}

/**
 * The largest `to` up to which the line from `from` stays straight. Pieces are often as long as the one before (servers, pings), so that
 * length is tried first; then doubling steps, then bisection.
 */
function lastStraight(from: number, highest: number, length: number, isStraight: (from: number, to: number) => boolean): number {
  const guess = Math.min(highest, from + length - 1)
  let [good, bad] = isStraight(from, guess) ? [guess, highest + 1] : [from, guess]
  for (let step = 1; good + step < bad; step *= 2) {
    if (isStraight(from, good + step)) good += step
    else bad = good + step
  }
  while (bad - good > 1) {
    const middle = Math.floor((good + bad) / 2)
    if (isStraight(from, middle)) good = middle
    else bad = middle
  }
  return good
}

/** Irregular points between the ends, and the neighbours of both, so that no staircase passes for a line. */
const probes = [0.5, 0.137, 0.731, 0.0031, 0.977]

function isLine(quantities: (n: number) => readonly number[], from: number, to: number, { toLinear }: Axis): boolean {
  const [first, last] = [quantities(from), quantities(to)]
  const inner = [...probes.map((share) => Math.round(from + share * (to - from))), to - 1, from + 1].filter((n) => n > from && n < to)
  return inner.every((n) => {
    const share = (toLinear(n) - toLinear(from)) / (toLinear(to) - toLinear(from))
    return quantities(n).every((quantity, i) => {
      const [start, end] = [first[i]!, last[i]!]
      return Math.abs(start + (end - start) * share - quantity) <= 1e-9 * Math.max(1, Math.abs(start), Math.abs(end))
    })
  })
}

/** Last whole numbers before a quantity passes a tier bound, in order. */
function tierBounds(
  first: readonly number[],
  last: readonly number[],
  from: number,
  to: number,
  tiers: readonly (readonly number[])[],
  { toLinear, fromLinear }: Axis,
): readonly number[] {
  const found = first.flatMap((start, i) =>
    tiers[i]!.flatMap((upTo) => {
      const end = last[i]!
      if ((upTo - start) * (upTo - end) >= 0) return []
      const at = fromLinear(toLinear(from) + (toLinear(to) - toLinear(from)) * ((upTo - start) / (end - start)))
      return [Math.min(to - 1, Math.max(from, Math.floor(at)))]
    }),
  )
  return [...new Set(found)].filter((n) => n < to).sort((a, b) => a - b)
}

function remember<T>(compute: (n: number) => T): (n: number) => T {
  const known = new Map<number, T>()
  return (n) => {
    const value = known.get(n) ?? compute(n)
    known.set(n, value)
    return value
  }
}

const signOf = (n: bigint): -1 | 0 | 1 => (n < 0n ? -1 : n > 0n ? 1 : 0)
