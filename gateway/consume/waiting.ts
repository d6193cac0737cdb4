// What waits in a consumer for its turn: fresh items in fair lanes, and behind them what comes back from the overflow queue.
import type { Clock } from '../../lib/clock.ts'
import type { ConsumerOptions } from './consumer-config.ts'
import type { Held } from './in-hand.ts'
import { createLanes, type Lanes } from './lanes.ts'
import { createLimiter, limitEach } from './limiter.ts'

export interface Waiting {
  readonly fresh: Lanes<Held>
  /** Served when no fresh lane can give anything. */
  readonly returned: Lanes<Held>
  readonly size: number
  /** Of one lane, from both. */
  of(lane: string): number
  /** Counted as running until `done`. */
  take(): Held | undefined
  done(entry: Held): void
  /** When something that may not run now may, by the monotonic clock; Infinity: not by time alone. */
  nextAt(): number
  drain(): Held[]
}

export interface WaitingOptions {
  readonly fifo: boolean
  readonly options: Pick<ConsumerOptions, 'fairness' | 'perTenant' | 'sideline'>
  readonly weight: (tenant: string) => number
  readonly clock: Pick<Clock, 'monotonic'>
}

export function createWaiting({ fifo, options, weight, clock }: WaitingOptions): Waiting {
  const { fairness, perTenant, sideline } = options
  const cap = fairness && perTenant.concurrency !== undefined ? perTenant.concurrency : Infinity
  const admit = fairness && perTenant.rate !== undefined ? limitEach(perTenant.rate, clock) : undefined
  const returning = createLimiter({ perSecond: sideline?.returnRate ?? Infinity, clock })
  const rules = { now: clock.monotonic, ...(fairness ? { weight } : {}), ...(admit ? { admit } : {}) }
  // A tenant's limit counts what it runs from both.
  const fresh: Lanes<Held> = createLanes({ ...rules, concurrency: (group) => (fifo ? 1 : cap - returned.running(group)) })
  const returned: Lanes<Held> = createLanes({ ...rules, concurrency: (group) => cap - fresh.running(group) })
  const changed = ({ lane, lanes }: Held) => (lanes === fresh ? returned : fresh).changed(lane)

  const next = (): Held | undefined => {
    const first = fresh.take()
    if (first || returned.idle || !returning.tryTake()) return first?.value
    return returned.take()?.value
  }

  return {
    fresh,
    returned,
    get size() {
      return fresh.size + returned.size
    },
    of: (lane) => fresh.waiting(lane) + returned.waiting(lane),
    take() {
      const entry = next()
      if (entry) changed(entry)
      return entry
    },
    done(entry) {
      entry.lanes.done(entry.lane)
      changed(entry)
    },
    nextAt() {
      const returnAt = returned.idle ? (returned.nextAt() ?? Infinity) : clock.monotonic() + returning.waitMs()
      return Math.min(fresh.nextAt() ?? Infinity, returnAt)
    },
    drain: () => [...fresh.drain(), ...returned.drain()],
  }
}
