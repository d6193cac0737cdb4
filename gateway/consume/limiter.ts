// A token bucket: so many messages a second, counted when one is handled and never when a queue is polled.
import type { Clock } from '../../lib/clock.ts'

export interface Limiter {
  /** Takes one token if there is one. */
  tryTake(): boolean
  /** Takes tokens that may not be there yet; the debt is paid before the next tryTake succeeds. */
  borrow(tokens: number): void
  /** Milliseconds until tryTake can succeed; 0 when it can now. */
  waitMs(): number
  setRate(perSecond: number): void
}

export interface LimiterOptions {
  /** Tokens a second; Infinity never limits. */
  readonly perSecond: number
  /** The most tokens that gather while idle. Default: a tenth of a second's worth, at least one. */
  readonly burst?: number
  readonly clock: Pick<Clock, 'monotonic'>
}

export function createLimiter({ perSecond, burst, clock }: LimiterOptions): Limiter {
  let rate = perSecond
  const capacity = () => burst ?? Math.max(1, rate / 10)
  let tokens = capacity()
  let countedAt = clock.monotonic()

  const refill = () => {
    const at = clock.monotonic()
    tokens = Math.min(capacity(), tokens + ((at - countedAt) * rate) / 1_000)
    countedAt = at
  }
  // A millisecond of rounding error must not cost another wait.
  const ready = () => tokens > 1 - 1e-6

  return {
    tryTake() {
      if (rate === Infinity) return true
      refill()
      if (!ready()) return false
      tokens -= 1
      return true
    },
    borrow(count) {
      if (rate === Infinity) return
      refill()
      tokens -= count
    },
    waitMs() {
      if (rate === Infinity) return 0
      refill()
      return ready() ? 0 : Math.ceil(((1 - tokens) * 1_000) / rate)
    },
    setRate(next) {
      if (next === rate) return
      if (rate !== Infinity) refill()
      else countedAt = clock.monotonic()
      rate = next
      tokens = Math.min(tokens, capacity())
    },
  }
}

const mostLimiters = 10_000
const sweepEveryMs = 1_000

/**
 * A token bucket for each of the first 10,000 groups, and one that all further groups share. A full bucket is forgotten when
 * there are that many, because a new one is full too. Answers the milliseconds to wait.
 */
export function limitEach(perSecond: number, clock: Pick<Clock, 'monotonic'>): (group: string) => number {
  const limiters = new Map<string, Limiter>()
  const create = () => createLimiter({ perSecond, burst: 1, clock })
  const shared = create()
  let sweptAt = Number.NEGATIVE_INFINITY
  const sweep = () => {
    const now = clock.monotonic()
    if (now - sweptAt < sweepEveryMs) return
    sweptAt = now
    for (const [group, limiter] of limiters) if (limiter.waitMs() === 0) limiters.delete(group)
  }
  const limiterOf = (group: string) => {
    const known = limiters.get(group)
    if (known) return known
    if (limiters.size >= mostLimiters) sweep()
    if (limiters.size >= mostLimiters) return shared
    const limiter = create()
    limiters.set(group, limiter)
    return limiter
  }
  return (group) => {
    const limiter = limiterOf(group)
    return limiter.tryTake() ? 0 : limiter.waitMs()
  }
}
