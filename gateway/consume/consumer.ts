// Takes from a queue fairly and slowly enough, hands to a handler, and lets go of an item only when its fate is settled.
import type { Clock } from '../../lib/clock.ts'
import type { Observe } from '../observe/observe.ts'
import type { ConsumerOptions } from './consumer-config.ts'
import { createHandling } from './handling.ts'
import { createInHand, type Held } from './in-hand.ts'
import { createLimiter } from './limiter.ts'
import { createPace } from './pace.ts'
import type { Part } from './parts.ts'
import { createPump } from './pump.ts'
import type { Handler, Item, Queue } from './queue.ts'
import { createReceiving } from './receiving.ts'
import { createSettling } from './settling.ts'
import { type Counts, createTally } from './tally.ts'
import { createTenants, type TenantStats } from './tenants.ts'
import { createWaiting } from './waiting.ts'

/**
 *   receiving ──▶ waiting ──▶ pump ──▶ handling ──▶ settling      removed, tried again, buried, given back
 *       │         fair lanes   pace     the handler     │
 *       └──────────────────── in hand ──────────────────┘         every lease kept alive meanwhile
 */
export interface Consumer {
  readonly queue: string
  start(): void
  /** Finishes what is being handled, gives back what waits, and waits for receives under way: at most `wait`, then 2 s. */
  stop(): Promise<void>
  stats(): ConsumerStats
  tenants(): readonly TenantStats[]
}

export interface ConsumerStats extends Counts {
  /** Being handled now. */
  readonly inFlight: number
  /** Received and not yet handled. */
  readonly waiting: number
  /** Share of the configured pace that is used, 0 to 1. */
  readonly pace: number
  /** When the oldest item in hand was first sent, in milliseconds since the epoch. */
  readonly oldestAt?: number
}

export interface ConsumerDeps {
  readonly queue: Queue
  /** The queue of `options.sideline`. */
  readonly overflow?: Queue
  readonly handler: Handler
  /** The parts of a packed message; undefined for any other. */
  readonly unpack?: (item: Item) => readonly Part[] | undefined
  readonly clock: Clock
  readonly random: () => number
  readonly observe: Observe
  readonly options: ConsumerOptions
  /** A tenant known from an identity always has an account of its own. */
  readonly isKnownTenant?: (tenant: string) => boolean
}

export function createConsumer(deps: ConsumerDeps): Consumer {
  const { queue, overflow, handler, unpack, clock, random, observe, options, isKnownTenant } = deps
  const { concurrency, visibilityTimeout, handlerTimeout, perTenant, slowDown } = options
  const { fifo } = queue
  const rate = options.rate ?? Infinity
  const weight = (tenant: string) => (Object.hasOwn(perTenant.weights, tenant) ? perTenant.weights[tenant]! : 1)

  const known = new Set([...perTenant.known, ...Object.keys(perTenant.weights)])
  const tenants = createTenants({
    clock,
    weight,
    accounts: perTenant.accounts,
    isKnown: (tenant) => known.has(tenant) || isKnownTenant?.(tenant) === true,
    changed: (tenant, noisy, share) =>
      observe.record(noisy ? 'tenant.noisy' : 'tenant.quiet', { queue: queue.name, tenant, share: Number(share.toFixed(3)) }),
  })
  const tally = createTally({ queue: queue.name, tenants, observe, clock })
  const limiter = createLimiter({ perSecond: rate, clock })
  const pace = createPace({
    clock,
    failureShare: slowDown.failureShare,
    latencyMs: slowDown.latency,
    windowMs: slowDown.window,
    changed(factor, before) {
      limiter.setRate(rate * factor)
      tally.paced(factor, before)
    },
  })
  const inHand = createInHand({ visibilityTimeout, clock, tally })
  const waiting = createWaiting({ fifo, options, weight, clock })
  const settling = createSettling({ queue, options, inHand, tally, clock, random })
  const handling = createHandling({ handler, unpack, fifo, handlerTimeout, settling, limiter, pace, tally, clock })

  const run = async (entry: Held) => {
    tenants.running(entry.account, 1)
    const error = await handling.handle(entry)
    const settled = error === undefined ? settling.done(entry) : settling.fail(entry, error)
    // FIFO: the successor may not start before the queue has let go of this one.
    if (fifo) await settled
    else track(settled)
    tenants.running(entry.account, -1)
  }

  /** Still to be waited for when the last handler has ended. */
  const unsettled = new Set<Promise<void>>()
  const track = (work: Promise<void>) => {
    const settled = work.finally(() => unsettled.delete(settled))
    unsettled.add(settled)
  }

  const pump = createPump({
    waiting,
    lost: (entry) => track(settling.lost(entry)),
    limiter,
    allowed: () => Math.max(1, Math.floor(concurrency * pace.factor)),
    run,
    turned: () => receiving.wake(),
    clock,
  })
  const receiving = createReceiving({
    queue,
    overflow,
    options,
    waiting,
    inHand,
    settling,
    tenants,
    tally,
    hungry: () => pump.hungry,
    came: pump.turn,
    track,
    clock,
    random,
  })

  const start = () => {
    inHand.start()
    handling.start()
    pump.start()
    receiving.start()
  }

  const finish = async () => {
    pump.stop()
    const received = receiving.stop()
    await Promise.all(waiting.drain().map(settling.release))
    await Promise.all([received, handlersEnded()])
    await Promise.all(unsettled)
    // A FIFO item that failed while stopping went back to its lane.
    await Promise.all(waiting.drain().map(settling.release))
    inHand.stop()
    handling.stop()
    tally.stopped()
  }

  /** Those that do not end in time are aborted. */
  const handlersEnded = async () => {
    const enough = new AbortController()
    const ended = pump.ended()
    await Promise.race([ended, clock.sleep(options.stopTimeout, enough.signal).catch(() => undefined)])
    enough.abort()
    handling.abort()
    await ended
  }

  let started = false
  let stopped: Promise<void> | undefined

  return {
    queue: queue.name,
    start() {
      if (started || stopped) return
      started = true
      start()
    },
    stop() {
      stopped ??= started ? finish() : Promise.resolve()
      return stopped
    },
    stats() {
      const oldestAt = inHand.oldestAt()
      const now = { inFlight: pump.running, waiting: waiting.size, pace: pace.factor }
      return { ...tally.counts, ...now, ...(oldestAt === undefined ? {} : { oldestAt }) }
    },
    tenants: () => tenants.snapshot(waiting.of),
  }
}
