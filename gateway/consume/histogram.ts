// A histogram of durations that holds a number for each bucket that was hit: some hundred bytes where HDR histograms reserve 24 KB.

/** Of whole milliseconds, below 2^31. A value up to 63 is exact; above, a bucket is 1/32 of its values wide. */
export class Histogram {
  readonly #counts = new Map<number, number>()

  record(ms: number): void {
    const bucket = bucketOf(ms)
    this.#counts.set(bucket, (this.#counts.get(bucket) ?? 0) + 1)
  }

  /** Adds the counts of the other one. */
  add(other: Histogram): void {
    for (const [bucket, count] of other.#counts) this.#counts.set(bucket, (this.#counts.get(bucket) ?? 0) + count)
  }

  /** The value that so many per cent of the values do not exceed; 0 of none. */
  percentile(percent: number): number {
    const sorted = [...this.#counts].sort(([a], [b]) => a - b)
    const wanted = (sorted.reduce((sum, [, count]) => sum + count, 0) * percent) / 100
    let seen = 0
    for (const [bucket, count] of sorted) {
      seen += count
      if (seen >= wanted) return middleOf(bucket)
    }
    return 0
  }

  reset(): void {
    this.#counts.clear()
  }
}

/** The first six binary digits of a value, and how many follow. */
function bucketOf(ms: number): number {
  const shift = Math.max(0, 26 - Math.clz32(ms))
  return shift * 32 + (ms >>> shift)
}

function middleOf(bucket: number): number {
  const shift = Math.max(0, (bucket >> 5) - 1)
  return Math.floor((bucket - shift * 32 + 0.5) * 2 ** shift)
}
