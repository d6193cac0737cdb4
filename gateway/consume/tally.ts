// What a consumer has done so far: counted for its numbers, and told to whoever observes.
import type { Clock } from '../../lib/clock.ts'
import { codeOf, type ErrorCode } from '../errors.ts'
import type { Observe } from '../observe/observe.ts'
import type { Held } from './in-hand.ts'
import type { Item, Queue } from './queue.ts'
import type { Tenants } from './tenants.ts'

export interface Counts {
  /** Messages; everything else counts the parts of a packed one. */
  readonly received: number
  readonly handled: number
  readonly failed: number
  readonly buried: number
  readonly sidelined: number
}

export interface Tally {
  readonly counts: Counts
  received(count: number): void
  handled(entry: Held, ms: number): void
  failed(entry: Held, error: unknown): void
  buried(entry: Held, item: Item, code: ErrorCode): void
  sidelined(count: number, why: 'excess' | 'old'): void
  /** So many were let go of too late: somebody else has them, or will. */
  expired(count: number): void
  unreachable(queue: Pick<Queue, 'name'>, error: unknown): void
  paced(factor: number, before: number): void
  stopped(): void
}

export interface TallyOptions {
  readonly queue: string
  readonly tenants: Pick<Tenants, 'handled'>
  readonly observe: Observe
  readonly clock: Pick<Clock, 'now'>
}

export function createTally({ queue, tenants, observe, clock }: TallyOptions): Tally {
  const counts = { received: 0, handled: 0, failed: 0, buried: 0, sidelined: 0 }
  return {
    counts,
    received(count) {
      counts.received += count
      observe.record('consumer.received', { queue, count })
    },
    handled({ item, tenant, account }, ms) {
      counts.handled++
      const dwell = clock.now() - item.sentAt
      tenants.handled(account, dwell)
      observe.record('consumer.handled', { queue, tenant, ms, dwell })
    },
    failed({ item, tenant }, error) {
      counts.failed++
      observe.record('consumer.failed', { queue, code: codeOf(error, 'HANDLER_FAILED'), tenant, messageId: item.key })
    },
    buried({ tenant }, item, code) {
      counts.buried++
      observe.record('consumer.buried', { queue, code, tenant, messageId: item.key })
    },
    sidelined(count, outcome) {
      counts.sidelined += count
      observe.record('consumer.sidelined', { queue, count, outcome })
    },
    expired: (count) => observe.record('consumer.expired', { queue, count }),
    unreachable: ({ name }, error) => observe.record('consumer.unreachable', { queue: name, code: codeOf(error, 'QUEUE_UNREACHABLE') }),
    paced(factor, before) {
      if (factor < before) observe.record('consumer.slowed', { queue, pace: factor })
      else if (factor === 1) observe.record('consumer.recovered', { queue })
    },
    stopped: () => observe.record('consumer.stopped', { queue, count: counts.handled }),
  }
}
