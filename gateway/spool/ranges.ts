// Sets of whole numbers as sorted ranges that do not touch. `to` is not part of a range.
export type Range = readonly [from: number, to: number]

export function sizeOf(ranges: readonly Range[]): number {
  return ranges.reduce((sum, [from, to]) => sum + to - from, 0)
}

export function includes(ranges: readonly Range[], value: number): boolean {
  return ranges.some(([from, to]) => from <= value && value < to)
}

export function union(ranges: readonly Range[]): Range[] {
  const merged: Range[] = []
  for (const [from, to] of ranges.toSorted((a, b) => a[0] - b[0])) {
    const last = merged.at(-1)
    if (from >= to) continue
    if (last && from <= last[1]) merged[merged.length - 1] = [last[0], Math.max(last[1], to)]
    else merged.push([from, to])
  }
  return merged
}

/** What of `ranges` is not in `others`. */
export function without(ranges: readonly Range[], others: readonly Range[]): Range[] {
  let left = union(ranges)
  for (const [from, to] of others) {
    left = left.flatMap(([a, b]): Range[] => {
      if (to <= a || b <= from) return [[a, b]]
      return union([
        [a, Math.min(b, from)],
        [Math.max(a, to), b],
      ])
    })
  }
  return left
}
