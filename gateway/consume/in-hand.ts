// What a consumer has in hand: from its receive until it is removed, buried or given back, with its lease kept alive.
import type { Clock } from '../../lib/clock.ts'
import { codeOf } from '../errors.ts'
import type { Lanes } from './lanes.ts'
import type { Item, Queue } from './queue.ts'
import type { Tally } from './tally.ts'

export interface Held {
  readonly item: Item
  readonly from: Queue
  readonly lanes: Lanes<Held>
  readonly lane: string
  readonly tenant: string
  /** The account that counts it: the tenant's own, or the shared one. */
  readonly account: string
  readonly since: number
  /** Tries made without giving the item back: FIFO only. */
  tries: number
  /** Parts of a packed FIFO item that are done. */
  parts: number
  /** Its lease ran out: somebody else has it, or will. */
  lost: boolean
}

export interface InHand {
  /** Starts its lease from now. */
  take(entry: Pick<Held, 'item' | 'from' | 'lanes' | 'lane' | 'tenant' | 'account'>): Held
  letGo(entry: Held): void
  /** When the oldest was first sent, in milliseconds since the epoch. */
  oldestAt(): number | undefined
  start(): void
  stop(): void
}

export interface InHandOptions {
  readonly visibilityTimeout: number
  readonly clock: Pick<Clock, 'monotonic' | 'every' | 'sleep'>
  readonly tally: Pick<Tally, 'expired' | 'unreachable'>
}

/** [AWS sqs-visibility-timeout]: counted from the receive, whatever was added since. */
const longestLeaseMs = 43_200_000
const prolongTries = 5

export function createInHand({ visibilityTimeout, clock, tally }: InHandOptions): InHand {
  const held = new Set<Held>()
  const stopped = new AbortController()
  let off: (() => void) | undefined

  /** At half the timeout everything in hand is prolonged; a failed call has the other half to be made good, in so many tries. */
  const prolongAll = () => {
    const now = clock.monotonic()
    for (const entry of held) if (!entry.lost && now - entry.since + visibilityTimeout <= longestLeaseMs) void prolong(entry, prolongTries)
  }

  const prolong = async (entry: Held, tries: number): Promise<void> => {
    try {
      await entry.from.hold(entry.item, visibilityTimeout)
    } catch (error) {
      if (!held.has(entry)) return
      if (codeOf(error, 'QUEUE_UNREACHABLE') === 'LEASE_LOST') {
        entry.lost = true
        return tally.expired(1)
      }
      tally.unreachable(entry.from, error)
      if (tries === 1) return
      await clock.sleep(visibilityTimeout / 2 / prolongTries, stopped.signal).catch(() => undefined)
      if (held.has(entry) && !stopped.signal.aborted) await prolong(entry, tries - 1)
    }
  }

  return {
    take(entry) {
      const taken: Held = { ...entry, since: clock.monotonic(), tries: 0, parts: 0, lost: false }
      held.add(taken)
      return taken
    },
    letGo: (entry) => void held.delete(entry),
    oldestAt() {
      let oldestAt = Infinity
      for (const { item } of held) oldestAt = Math.min(oldestAt, item.sentAt)
      return oldestAt === Infinity ? undefined : oldestAt
    },
    start() {
      off ??= clock.every(visibilityTimeout / 2, prolongAll)
    },
    stop() {
      off?.()
      off = undefined
      stopped.abort()
    },
  }
}
