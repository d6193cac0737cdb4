// How much of the configured pace the target can bear: halves on errors or latency, comes back step by step (AIMD).
import type { Clock } from '../../lib/clock.ts'

export interface PaceOptions {
  readonly clock: Pick<Clock, 'monotonic'>
  /** A window with a larger share of failures is a sign of distress. */
  readonly failureShare: number
  /** So is one whose mean handling time is above this. Infinity: latency does not matter. */
  readonly latencyMs: number
  readonly windowMs: number
  readonly changed?: (factor: number, before: number) => void
}

export interface Pace {
  /** Between `floor` and 1: what share of rate and concurrency to use. */
  readonly factor: number
  /** A permanent failure is the message's fault and counts as success here; `again`: it was tried before. */
  outcome(ok: boolean, ms: number, again?: boolean): void
}

const decrease = 0.5
const increase = 0.1
const floor = 0.05
/** Fewer outcomes than this say nothing about a target; the window stays open for more. */
const enough = 5

export function createPace({ clock, failureShare, latencyMs, windowMs, changed }: PaceOptions): Pace {
  let factor = 1
  let openedAt = clock.monotonic()
  /** What was new to the target went well, the last time. */
  let well = false
  let count = 0
  let failures = 0
  let totalMs = 0

  const close = (at: number) => {
    const before = factor
    const distressed = failures / count > failureShare || totalMs / count > latencyMs
    // A quiet time is a healthy one: each window of it counts.
    const windows = Math.floor((at - openedAt) / windowMs)
    factor = distressed ? Math.max(floor, factor * decrease) : Math.min(1, factor + increase * windows)
    openedAt = at
    count = failures = totalMs = 0
    // Steps of a tenth do not add up to exactly one.
    if (factor > 0.999) factor = 1
    if (factor !== before) changed?.(factor, before)
  }

  return {
    get factor() {
      return factor
    },
    outcome(ok, ms, again = false) {
      if (!again) well = ok
      // Then what fails once more is at fault itself, and must not slow the others down.
      else if (!ok && well) return
      count++
      totalMs += ms
      if (!ok) failures++
      const at = clock.monotonic()
      if (at - openedAt >= windowMs && count >= enough) close(at)
    },
  }
}
