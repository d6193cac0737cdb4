// Takes from a queue fairly and slowly enough, hands to a handler, and lets go of an item only when its fate is settled.
import { backoffMs } from '../../lib/backoff.ts'
import type { Clock } from '../../lib/clock.ts'
import { codeOf, type ErrorCode, GatewayError } from '../errors.ts'
import type { Observe } from '../observe/observe.ts'
import type { ConsumerConfig } from './consumer-config.ts'
import { deadReason, isPermanentFailure } from './failure.ts'
import { createIntake, type Intake } from './intake.ts'
import { createLanes, type Lanes } from './lanes.ts'
import { createLimiter, type Limiter } from './limiter.ts'
import { createPace } from './pace.ts'
import type { Handler, Item, Outgoing, Queue } from './queue.ts'
import { createTenants, type TenantStats } from './tenants.ts'

export interface ConsumerStats {
  /** Messages; everything else counts the parts of a packed one. */
  readonly received: number
  readonly handled: number
  readonly failed: number
  readonly buried: number
  readonly sidelined: number
  /** Being handled now. */
  readonly inFlight: number
  /** Received and not yet handled. */
  readonly waiting: number
  /** Share of the configured pace that is used, 0 to 1. */
  readonly pace: number
  /** When the oldest item in hand was first sent, in milliseconds since the epoch. */
  readonly oldestAt?: number
}

export interface Consumer {
  readonly queue: string
  start(): void
  /** Finishes what is being handled, gives back what waits. */
  stop(): Promise<void>
  stats(): ConsumerStats
  tenants(): readonly TenantStats[]
}

/** Everything of the configuration that is not about building the parts. */
export type ConsumerOptions = Omit<ConsumerConfig, 'queue' | 'deadLetterQueue' | 'handler'>

/** One part of a packed message; what it does not say is the message's. */
export interface Part {
  readonly key: string
  readonly body: Uint8Array
  readonly attributes?: Item['attributes']
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
}

/** An item in hand, from its receive until it is removed, buried or given back. */
interface Held {
  readonly item: Item
  readonly from: Queue
  readonly lanes: Lanes<Held>
  readonly lane: string
  readonly tenant: string
  readonly since: number
  /** Tries made without giving the item back: FIFO only. */
  tries: number
  /** Parts of a packed FIFO item that are done. */
  parts: number
  lost: boolean
  run?: { readonly abort: AbortController; readonly deadline: number; readonly giveUp: (error: Error) => void }
}

/** [AWS sqs-visibility-timeout]: counted from the receive, whatever was added since. */
const longestLeaseMs = 43_200_000
/** What is given back is there again after this; never 0, see sqs-queue.ts. */
const releaseMs = 1_000
const removeTries = 4
const mostLimiters = 10_000
const removeRetry = { baseMs: 100, capMs: 2_000 }

export function createConsumer({ queue, overflow, handler, unpack, clock, random, observe, options }: ConsumerDeps): Consumer {
  const { concurrency, visibilityTimeout, perTenant, sideline } = options
  // What goes aside does not wait here: with an overflow queue there is room for every receiver to look further behind.
  const prefetch = options.prefetch ?? Math.max(20, 2 * concurrency) + (sideline ? 10 * options.receivers : 0)
  const rate = options.rate ?? Infinity
  const held = new Set<Held>()
  const settling = new Set<Promise<void>>()
  const counts = { received: 0, handled: 0, failed: 0, buried: 0, sidelined: 0 }
  let running = 0
  let state: 'new' | 'running' | 'stopping' = 'new'
  let stopped: Promise<void> | undefined
  let idle = Promise.withResolvers<void>()
  const timers: (() => void)[] = []

  const weight = (tenant: string) => perTenant.weights[tenant] ?? 1
  const limiter = createLimiter({ perSecond: rate, clock })
  const returning = createLimiter({ perSecond: sideline?.returnRate ?? Infinity, clock })
  const pace = createPace({
    clock,
    failureShare: options.slowDown.failureShare,
    latencyMs: options.slowDown.latency,
    windowMs: options.slowDown.window,
    changed(factor, before) {
      limiter.setRate(rate * factor)
      if (factor < before) observe.record('consumer.slowed', { queue: queue.name, pace: factor })
      else if (factor === 1) observe.record('consumer.recovered', { queue: queue.name })
    },
  })
  const tenants = createTenants({
    clock,
    weight,
    changed: (tenant, noisy, share) =>
      observe.record(noisy ? 'tenant.noisy' : 'tenant.quiet', { queue: queue.name, tenant, share: Number(share.toFixed(3)) }),
  })
  const cap = options.fairness && perTenant.concurrency !== undefined ? perTenant.concurrency : Infinity
  const admit = options.fairness && perTenant.rate !== undefined ? admitPerTenant(perTenant.rate, clock) : undefined
  const rules = { now: clock.now, ...(options.fairness ? { weight } : {}), ...(admit ? { admit } : {}) }
  const lanes: Lanes<Held> = createLanes({ ...rules, concurrency: (group) => (queue.fifo ? 1 : cap - later.running(group)) })
  /** What comes back from the overflow queue: served when no lane above can give anything. */
  const later: Lanes<Held> = createLanes({ ...rules, concurrency: (group) => cap - lanes.running(group) })
  /** A tenant's limit counts what it runs from both. */
  const changed = ({ lane, lanes: own }: Held) => (own === lanes ? later : lanes).changed(lane)

  // ── in ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

  const laneOf = (item: Item) => (queue.fifo || options.fairness ? item.group : '')

  /** Per tenant, so that a full consumer still has room to find the quiet ones behind the noisy one. */
  const inHand = () => sideline?.inHand ?? Math.max(1, Math.floor(prefetch / (lanes.groups + 1)))

  const keep = (item: Item, from: Queue, into: Lanes<Held>) => {
    const lane = laneOf(item)
    const entry: Held = { item, from, lanes: into, lane, tenant: tenantOf(item), since: clock.now(), tries: 0, parts: 0, lost: false }
    held.add(entry)
    into.push(lane, entry)
  }

  const take = (items: readonly Item[]) => {
    counts.received += items.length
    observe.record('consumer.received', { queue: queue.name, count: items.length })
    const aside = { excess: [] as Item[], old: [] as Item[] }
    for (const item of items) {
      tenants.received(tenantOf(item), 1)
      if (overflow && sideline && clock.now() - item.sentAt > sideline.olderThan) aside.old.push(item)
      else if (overflow && lanes.waiting(laneOf(item)) >= inHand()) aside.excess.push(item)
      else keep(item, queue, lanes)
    }
    if (aside.excess.length > 0) track(setAside(aside.excess, 'excess'))
    if (aside.old.length > 0) track(setAside(aside.old, 'old'))
    pump()
  }

  /** Sent first, removed then: a crash in between makes a duplicate and never a loss. */
  const setAside = async (items: readonly Item[], outcome: 'excess' | 'old') => {
    try {
      await overflow?.send(items.map(toSidelined))
      counts.sidelined += items.length
      observe.record('consumer.sidelined', { queue: queue.name, count: items.length, outcome })
    } catch (error) {
      observe.record('consumer.unreachable', { queue: sideline?.queue ?? '', code: codeOf(error, 'QUEUE_UNREACHABLE') })
      for (const item of items) keep(item, queue, lanes)
      pump()
      return
    }
    await removeAll(queue, items)
  }

  const unreachable = (from: Queue) => (error: unknown) =>
    observe.record('consumer.unreachable', { queue: from.name, code: codeOf(error, 'QUEUE_UNREACHABLE') })

  /** Waits for a worthwhile number of places, unless slots are idle for want of work. */
  const roomIn = (into: Lanes<Held>) => (asked: number) => {
    const free = prefetch - into.size - asked
    const starved = running < allowed() && asked === 0 && into.idle
    return state === 'running' && (free >= Math.min(10, Math.ceil(prefetch / 2)) || starved) ? free : 0
  }

  const intake = createIntake({
    queue,
    receivers: options.receivers,
    waitMs: options.wait,
    room: roomIn(lanes),
    take,
    failed: unreachable(queue),
    clock,
    random,
  })
  const intakes: Intake[] = [intake]
  if (overflow) {
    intakes.push(
      createIntake({
        queue: overflow,
        receivers: options.receivers,
        waitMs: options.wait,
        room: roomIn(later),
        take(items) {
          for (const item of items) keep(item, overflow, later)
          pump()
        },
        failed: unreachable(overflow),
        clock,
        random,
      }),
    )
  }

  // ── through ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  const allowed = () => Math.max(1, Math.floor(concurrency * pace.factor))

  const next = (): Held | undefined => {
    const fresh = lanes.take()
    if (fresh || later.idle || !returning.tryTake()) return fresh?.value
    return later.take()?.value
  }

  /** Starts whatever may start now, and sleeps until the rest may. */
  const pump = () => {
    let waitMs = 0
    while (state === 'running' && running < allowed() && lanes.size + later.size > 0) {
      waitMs = limiter.waitMs()
      const entry = waitMs > 0 ? undefined : next()
      if (!entry) break
      if (entry.lost) {
        held.delete(entry)
        entry.lanes.done(entry.lane)
        continue
      }
      limiter.tryTake()
      changed(entry)
      void run(entry)
    }
    arm(waitMs)
    for (const each of intakes) each.wake()
  }

  let alarm: { readonly at: number; readonly off: AbortController } | undefined

  /** What waits for a slot is started when one is free; what waits for time needs waking. */
  const arm = (limiterMs: number) => {
    if (state !== 'running' || running >= allowed() || lanes.size + later.size === 0) return
    const now = clock.now()
    const returnAt = later.idle ? (later.nextAt() ?? Infinity) : now + returning.waitMs()
    const due = limiterMs > 0 ? now + limiterMs : Math.min(lanes.nextAt() ?? Infinity, returnAt)
    if (due === Infinity) return
    // What fell due since it was last looked at is looked at again soon.
    const at = Math.max(due, now + 1)
    if (alarm && alarm.at <= at) return
    alarm?.off.abort()
    const off = new AbortController()
    alarm = { at, off }
    clock.sleep(at - now, off.signal).then(
      () => {
        alarm = undefined
        pump()
      },
      () => undefined,
    )
  }

  const run = async (entry: Held) => {
    running++
    tenants.running(entry.tenant, 1)
    const error = await handle(entry)
    // FIFO: the successor may not start before the queue has let go of this one.
    const settled = error === undefined ? done(entry) : fail(entry, error)
    if (queue.fifo) await settled
    else track(settled)
    running--
    tenants.running(entry.tenant, -1)
    entry.lanes.done(entry.lane)
    changed(entry)
    if (running === 0) idle.resolve()
    pump()
  }

  /** The whole message, or part by part. Undefined: nothing is left to do but to remove it. */
  const handle = async (entry: Held): Promise<Error | undefined> => {
    try {
      const parts = unpack?.(entry.item)
      return parts ? await handleParts(entry, parts) : await attempt(entry, entry.item)
    } catch (error) {
      return toError(error)
    }
  }

  /** A part's failure is its own: it is tried again, or buried, apart from the others. FIFO keeps the order instead. */
  const handleParts = async (entry: Held, parts: readonly Part[]): Promise<Error | undefined> => {
    limiter.borrow(parts.length - entry.parts - 1)
    for (; entry.parts < parts.length; entry.parts++) {
      const item = { ...entry.item, ...parts[entry.parts]! }
      const error = await attempt(entry, item)
      if (error === undefined) continue
      if (isPermanentFailure(error)) await bury(entry, item, 'HANDLER_REFUSED', error.reason)
      else if (queue.fifo || isStopping(error)) return error
      else await retryPart(entry, item, error)
    }
    return undefined
  }

  /** What the handler made of it: undefined for done, else what it threw. */
  const attempt = async (entry: Held, item: Item): Promise<Error | undefined> => {
    const abort = new AbortController()
    const { promise: gaveUp, reject: giveUp } = Promise.withResolvers<never>()
    const startedAt = clock.monotonic()
    entry.run = { abort, deadline: startedAt + options.handlerTimeout, giveUp }
    const work = async () => handler(item, abort.signal) // also for a handler that throws before it promises
    const error = await Promise.race([work(), gaveUp]).then(() => undefined, toError)
    delete entry.run
    const ms = clock.monotonic() - startedAt
    if (!isStopping(error)) pace.outcome(error === undefined || isPermanentFailure(error), ms)
    if (error === undefined) handled(entry, ms)
    return error
  }

  const retryPart = async (entry: Held, item: Item, error: unknown) => {
    failed(entry, error)
    if (item.receives >= options.maxReceives) return bury(entry, item, codeOf(error, 'HANDLER_FAILED'), triesText(item.receives))
    const attributes = { ...item.attributes, tries: String(item.receives), sentAt: String(item.sentAt) }
    const delayMs = backoffMs({ baseMs: options.retry.base, capMs: options.retry.cap }, item.receives - 1, random)
    await entry.from.send([{ ...toOutgoing(item), id: item.key, attributes, delayMs }])
  }

  // ── out ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

  const handled = (entry: Held, ms: number) => {
    counts.handled++
    const dwell = clock.now() - entry.item.sentAt
    tenants.handled(entry.tenant, dwell)
    observe.record('consumer.handled', { queue: queue.name, tenant: entry.tenant, ms, dwell })
  }

  const done = async (entry: Held) => {
    await removeAll(entry.from, [entry.item])
    held.delete(entry)
  }

  const failed = (entry: Held, error: unknown) => {
    counts.failed++
    const code = codeOf(error, 'HANDLER_FAILED')
    observe.record('consumer.failed', { queue: queue.name, code, tenant: entry.tenant, messageId: entry.item.key })
  }

  const fail = async (entry: Held, error: Error): Promise<void> => {
    const { item } = entry
    if (isStopping(error)) return release(entry)
    try {
      if (isPermanentFailure(error)) {
        await bury(entry, item, 'HANDLER_REFUSED', error.reason)
        held.delete(entry)
        return
      }
      failed(entry, error)
      const tries = item.receives + entry.tries
      if (tries >= options.maxReceives) {
        await bury(entry, item, codeOf(error, 'HANDLER_FAILED'), triesText(tries))
        held.delete(entry)
        return
      }
    } catch {
      // The dead-letter queue is missing or away: the item stays where it is and comes back.
    }
    await retry(entry)
  }

  const retry = async (entry: Held) => {
    const attempts = entry.item.receives + entry.tries - 1
    const ms = backoffMs({ baseMs: options.retry.base, capMs: options.retry.cap }, attempts, random)
    if (!queue.fifo) return giveBack(entry, ms)
    // In hand, not by visibility: its successors would be received in vain with it and run out of receives.
    entry.tries++
    entry.lanes.unshift(entry.lane, entry)
    entry.lanes.pause(entry.lane, clock.now() + ms)
  }

  const bury = async (entry: Held, item: Item, code: ErrorCode, said: string) => {
    try {
      // By the main queue, so that a replay goes there; an item of the overflow queue is a copy to it.
      const aside = entry.from !== queue
      await queue.bury(aside ? { ...item } : item, deadReason(code, said))
      if (aside && item === entry.item) await removeAll(entry.from, [item])
    } catch (error) {
      observe.record('consumer.unreachable', { queue: queue.name, code: codeOf(error, 'QUEUE_UNREACHABLE') })
      throw error
    }
    counts.buried++
    observe.record('consumer.buried', { queue: queue.name, code, tenant: entry.tenant, messageId: item.key })
  }

  const giveBack = async (entry: Held, ms: number) => {
    held.delete(entry)
    await entry.from.hold(entry.item, ms).catch(() => undefined) // it comes back by itself then, later
  }

  const release = (entry: Held) => giveBack(entry, releaseMs)

  /** Several tries, because what was handled and not removed is handled twice. */
  const removeAll = async (from: Queue, items: readonly Item[]) => {
    let left = items
    for (let i = 0; left.length > 0 && i < removeTries; i++) {
      try {
        return await from.remove(left)
      } catch (error) {
        if (codeOf(error, 'QUEUE_UNREACHABLE') === 'LEASE_LOST') return expired(left.length)
        left = error instanceof GatewayError && Array.isArray(error.details.failed) ? (error.details.failed as Item[]) : left
        unreachable(from)(error)
        await clock.sleep(backoffMs(removeRetry, i, random))
      }
    }
  }

  const expired = (count: number) => observe.record('consumer.expired', { queue: queue.name, count })

  /** At half the timeout everything in hand is prolonged; a failed call has the other half to be made good. */
  const prolong = () => {
    const now = clock.now()
    for (const entry of held) {
      if (entry.lost || now - entry.since + visibilityTimeout > longestLeaseMs) continue
      entry.from.hold(entry.item, visibilityTimeout).catch((error) => {
        if (!held.has(entry)) return
        if (codeOf(error, 'QUEUE_UNREACHABLE') !== 'LEASE_LOST') return unreachable(entry.from)(error)
        entry.lost = true
        expired(1)
      })
    }
  }

  const expireHandlers = () => {
    const now = clock.monotonic()
    for (const { run } of held) if (run && run.deadline <= now) cancel(run, 'HANDLER_TIMEOUT', 'the handler took too long')
  }

  const track = (work: Promise<void>) => {
    const settled = work.finally(() => settling.delete(settled))
    settling.add(settled)
  }

  const finish = async () => {
    await Promise.all(intakes.map((each) => each.stop()))
    alarm?.off.abort()
    await Promise.all([...lanes.drain(), ...later.drain()].map(release))
    if (running > 0) {
      idle = Promise.withResolvers()
      const enough = new AbortController()
      const timeUp = clock.sleep(options.stopTimeout, enough.signal).catch(() => undefined)
      await Promise.race([idle.promise, timeUp])
      enough.abort()
      for (const { run } of held) if (run) cancel(run, 'STOPPING', 'the consumer stops')
      if (running > 0) await idle.promise
    }
    await Promise.all(settling)
    // A FIFO item that failed while stopping went back to its lane.
    await Promise.all(lanes.drain().map(release))
    for (const off of timers) off()
    if (state === 'stopping') observe.record('consumer.stopped', { queue: queue.name, count: counts.handled })
  }

  return {
    queue: queue.name,
    start() {
      if (state !== 'new') return
      state = 'running'
      timers.push(
        clock.every(visibilityTimeout / 2, prolong),
        clock.every(Math.min(1_000, Math.max(20, options.handlerTimeout / 20)), expireHandlers),
      )
      for (const each of intakes) each.start()
    },
    stop() {
      stopped ??= finishFrom(state)
      return stopped
    },
    stats: () => ({ ...counts, inFlight: running, waiting: lanes.size + later.size, pace: pace.factor, ...oldest(held) }),
    tenants: () => tenants.snapshot((tenant) => lanes.waiting(tenant) + later.waiting(tenant)),
  }

  function finishFrom(before: typeof state): Promise<void> {
    state = 'stopping'
    return before === 'running' ? finish() : Promise.resolve()
  }
}

function oldest(held: ReadonlySet<Held>): { readonly oldestAt?: number } {
  let oldestAt = Infinity
  for (const { item } of held) oldestAt = Math.min(oldestAt, item.sentAt)
  return oldestAt === Infinity ? {} : { oldestAt }
}

/** Aborted by our own stop: nobody's failure. */
function isStopping(error: Error | undefined): boolean {
  return error instanceof GatewayError && error.code === 'STOPPING'
}

function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new GatewayError('HANDLER_FAILED', 'the handler threw something that is no error')
}

function cancel(run: NonNullable<Held['run']>, code: 'HANDLER_TIMEOUT' | 'STOPPING', message: string): void {
  const error = new GatewayError(code, message)
  run.abort.abort(error)
  run.giveUp(error)
}

/** The tenant travels as an attribute where the group is a device; on standard queues the group is the tenant. */
export function tenantOf({ attributes, group }: Item): string {
  return attributes.tenant ?? (group === '' ? '-' : group)
}

function toOutgoing(item: Item): Outgoing {
  return { ...item, attributes: { ...item.attributes, sentAt: String(item.sentAt) } }
}

/** With the tries it has had, which the new message would not know of. */
function toSidelined(item: Item): Outgoing {
  const outgoing = toOutgoing(item)
  return item.receives > 1 ? { ...outgoing, attributes: { ...outgoing.attributes, tries: String(item.receives - 1) } } : outgoing
}

const triesText = (tries: number) => `failed ${tries} ${tries === 1 ? 'time' : 'times'}`

/** A token bucket for each group; the full ones are forgotten when there are many, as a new one is full too. */
function admitPerTenant(perSecond: number, clock: Pick<Clock, 'monotonic'>): (group: string) => number {
  const limiters = new Map<string, Limiter>()
  const forgetIdle = () => {
    for (const [group, limiter] of limiters) if (limiter.waitMs() === 0) limiters.delete(group)
  }
  return (group) => {
    let limiter = limiters.get(group)
    if (!limiter) {
      if (limiters.size >= mostLimiters) forgetIdle()
      limiter = createLimiter({ perSecond, burst: 1, clock })
      limiters.set(group, limiter)
    }
    return limiter.tryTake() ? 0 : limiter.waitMs()
  }
}
