// Rates. Tokens come back with time, up to one second's worth; whoever finds none is refused.

/** Mutated on the hot path, hence a class. An infinite rate never refuses. */
export class TokenBucket {
  readonly #perSecond: number
  readonly #capacity: number
  #tokens: number
  #at: number

  constructor(perSecond: number, nowMs: number) {
    this.#perSecond = perSecond
    this.#capacity = Math.max(perSecond, 1)
    this.#tokens = this.#capacity
    this.#at = nowMs
  }

  /** What is larger than the bucket passes when the bucket is full, and leaves a debt. */
  has(count: number, nowMs: number): boolean {
    if (this.#perSecond === Number.POSITIVE_INFINITY) return true
    if (nowMs > this.#at) {
      this.#tokens = Math.min(this.#capacity, this.#tokens + ((nowMs - this.#at) * this.#perSecond) / 1_000)
      this.#at = nowMs
    }
    // Fractions of a millisecond add up to a little less than a whole token.
    return this.#tokens + 1e-6 >= Math.min(count, this.#capacity)
  }

  /** After `has` said yes. */
  take(count: number): void {
    if (this.#perSecond !== Number.POSITIVE_INFINITY) this.#tokens -= count
  }
}

export interface KeyedBuckets {
  of(key: string, nowMs: number): TokenBucket
  /** Buckets in memory. */
  size(): number
}

/**
 * A bucket per key, in memory only while it matters: one that nobody touched for as long as it takes to fill is as good
 * as new, so two generations are kept and the older is forgotten. Keys may be whatever a stranger sends.
 */
export function createKeyedBuckets(perSecond: number, nowMs: number): KeyedBuckets {
  if (perSecond === Number.POSITIVE_INFINITY) {
    const endless = new TokenBucket(perSecond, nowMs)
    return { of: () => endless, size: () => 0 }
  }
  const fillMs = (Math.max(perSecond, 1) / perSecond) * 1_000
  let young = new Map<string, TokenBucket>()
  let old = new Map<string, TokenBucket>()
  let turnedAt = nowMs
  const turn = (now: number) => {
    old = now - turnedAt < 2 * fillMs ? young : new Map()
    young = new Map()
    turnedAt = now
  }
  return {
    of(key, now) {
      if (now - turnedAt >= fillMs) turn(now)
      let bucket = young.get(key)
      if (!bucket) {
        bucket = old.get(key) ?? new TokenBucket(perSecond, now)
        young.set(key, bucket)
      }
      return bucket
    },
    size() {
      return new Set([...young.keys(), ...old.keys()]).size
    },
  }
}
