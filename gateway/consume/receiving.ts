// What comes in, while there is room: each item into its lane, and what would stand in everybody's way into the overflow queue.
import type { Clock } from '../../lib/clock.ts'
import { createSteadyClock } from '../../lib/steady.ts'
import type { ConsumerOptions } from './consumer-config.ts'
import type { Held, InHand } from './in-hand.ts'
import { createIntake } from './intake.ts'
import type { Lanes } from './lanes.ts'
import { type Item, type Outgoing, type Queue, toOutgoing } from './queue.ts'
import type { Settling } from './settling.ts'
import type { Tally } from './tally.ts'
import { type Tenants, tenantOf } from './tenants.ts'
import type { Waiting } from './waiting.ts'

export interface Receiving {
  start(): void
  /** There may be room again. */
  wake(): void
  /** Resolves when no receive is under way any more. */
  stop(): Promise<void>
}

export interface ReceivingOptions {
  readonly queue: Queue
  readonly overflow: Queue | undefined
  readonly options: Pick<ConsumerOptions, 'concurrency' | 'prefetch' | 'receivers' | 'wait' | 'fairness' | 'sideline'>
  readonly waiting: Waiting
  readonly inHand: Pick<InHand, 'take'>
  readonly settling: Pick<Settling, 'removeAll' | 'release'>
  readonly tenants: Pick<Tenants, 'accountOf' | 'received'>
  readonly tally: Tally
  /** More could be handled at once than is. */
  readonly hungry: () => boolean
  /** Something came. */
  readonly came: () => void
  /** For work that a stop has to wait for. */
  readonly track: (work: Promise<void>) => void
  readonly clock: Clock
  readonly random: () => number
}

const checkEveryMs = 1_000
/** FIFO: messages in hand beyond `prefetch`, behind others of their group. */
const maxBlocked = 1_000

export function createReceiving(deps: ReceivingOptions): Receiving {
  const { queue, overflow, options, waiting, inHand, settling, tenants, tally, hungry, came, track, clock, random } = deps
  const { concurrency, fairness, receivers, sideline } = options
  // What goes aside does not wait here: with an overflow queue there is room for every receiver to look further behind.
  const prefetch = options.prefetch ?? Math.max(20, 2 * concurrency) + (sideline ? 10 * receivers : 0)

  /** Items do not grow old when the wall clock is set. */
  const steady = createSteadyClock(clock)
  let stopChecks = () => {}

  /** FIFO groups keep their order, so each has a lane of its own; on standard queues each account has one. */
  const laneOf = (item: Item, account: string) => (queue.fifo ? item.group : fairness ? account : '')

  /** Per tenant, so that a full consumer still has room to find the quiet ones behind the noisy one. */
  const perLane = () => sideline?.inHand ?? Math.max(1, Math.floor(prefetch / (waiting.fresh.groups + 1)))

  const hold = (item: Item, from: Queue, lanes: Lanes<Held>, tenant = tenantOf(item), account = tenants.accountOf(tenant)) =>
    inHand.take({ item, from, lanes, lane: laneOf(item, account), tenant, account })

  const keep = (item: Item, from: Queue, lanes: Lanes<Held>, tenant?: string, account?: string) => {
    const entry = hold(item, from, lanes, tenant, account)
    lanes.push(entry.lane, entry)
  }

  const take = (items: readonly Item[]) => {
    tally.received(items.length)
    const aside = { excess: [] as Item[], old: [] as Item[] }
    for (const item of items) {
      const tenant = tenantOf(item)
      const account = tenants.accountOf(tenant)
      tenants.received(account, 1)
      if (overflow && sideline && steady.now() - steady.of(item.sentAt) > sideline.olderThan) aside.old.push(item)
      else if (overflow && waiting.fresh.waiting(laneOf(item, account)) >= perLane()) aside.excess.push(item)
      else keep(item, queue, waiting.fresh, tenant, account)
    }
    if (overflow && aside.excess.length > 0) track(setAside(overflow, aside.excess, 'excess'))
    if (overflow && aside.old.length > 0) track(setAside(overflow, aside.old, 'old'))
    came()
  }

  const takeReturned = (from: Queue) => (items: readonly Item[]) => {
    for (const item of items) keep(item, from, waiting.returned)
    came()
  }

  /** Sent first, removed then: a crash in between makes a duplicate and never a loss. */
  const setAside = async (to: Queue, items: readonly Item[], why: 'excess' | 'old') => {
    try {
      await to.send(items.map(toSidelined))
    } catch (error) {
      tally.unreachable(to, error)
      for (const item of items) keep(item, queue, waiting.fresh)
      came()
      return
    }
    tally.sidelined(items.length, why)
    await settling.removeAll(queue, items)
  }

  /** FIFO: a group that fails or is slow holds its successors, ten to a receive; they take no place from other groups. */
  const occupied = (lanes: Lanes<Held>) => (queue.fifo ? Math.max(lanes.size - lanes.blocked, lanes.size - maxBlocked) : lanes.size)

  /** Waits for a worthwhile number of places, unless slots are idle for want of work. */
  const roomIn = (lanes: Lanes<Held>) => (asked: number) => {
    const free = prefetch - occupied(lanes) - asked
    const starved = hungry() && asked === 0 && lanes.idle
    return free >= Math.min(10, Math.ceil(prefetch / 2)) || starved ? free : 0
  }

  const intakeOf = (from: Queue, lanes: Lanes<Held>, take: (items: readonly Item[]) => void) =>
    createIntake({
      queue: from,
      receivers,
      waitMs: options.wait,
      room: roomIn(lanes),
      take,
      giveBack(items) {
        for (const item of items) track(settling.release(hold(item, from, lanes)))
      },
      failed: (error) => tally.unreachable(from, error),
      clock,
      random,
    })

  const intakes = [intakeOf(queue, waiting.fresh, take)]
  if (overflow) intakes.push(intakeOf(overflow, waiting.returned, takeReturned(overflow)))

  return {
    start() {
      if (sideline) stopChecks = clock.every(checkEveryMs, steady.check)
      for (const each of intakes) each.start()
    },
    wake() {
      for (const each of intakes) each.wake()
    },
    async stop() {
      stopChecks()
      await Promise.all(intakes.map((each) => each.stop()))
    },
  }
}

/** With the tries it has had, which the new message would not know of. */
function toSidelined(item: Item): Outgoing {
  const outgoing = toOutgoing(item)
  return item.receives > 1 ? { ...outgoing, attributes: { ...outgoing.attributes, tries: String(item.receives - 1) } } : outgoing
}
