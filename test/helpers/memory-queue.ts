// A Queue on the test's own clock: visibility, groups and receive counts as SQS has them, and a look at everything inside.

import type { Item, Outgoing, Queue } from '../../gateway/consume/queue.ts'
import { GatewayError } from '../../gateway/errors.ts'
import type { Clock } from '../../lib/clock.ts'

interface Stored extends Outgoing {
  readonly sentAt: number
  receives: number
  visibleAt: number
}

export interface Dead {
  readonly item: Item
  readonly reason: string
}

/** Its methods may be replaced, to make them fail. */
export interface MemoryQueue extends Queue {
  readonly dead: readonly Dead[]
  readonly size: number
  readonly calls: { receive: number; empty: number; remove: number; hold: number; send: number }
  /** Everything still in the queue, in hand or not. */
  keys(): readonly string[]
  put(messages: readonly Partial<Outgoing>[]): void
}

export interface MemoryQueueOptions {
  readonly clock: Clock
  readonly name?: string
  readonly visibilityMs?: number
}

export function createMemoryQueue({ clock, name = 'telemetry', visibilityMs = 30_000 }: MemoryQueueOptions): MemoryQueue {
  const fifo = name.endsWith('.fifo')
  let stored: Stored[] = []
  const handed = new WeakMap<Item, { readonly of: Stored; readonly receives: number }>()
  const dead: Dead[] = []
  const calls = { receive: 0, empty: 0, remove: 0, hold: 0, send: 0 }
  let arrived = Promise.withResolvers<void>()
  let serial = 0

  const wake = () => {
    arrived.resolve()
    arrived = Promise.withResolvers()
  }

  const put = (messages: readonly Partial<Outgoing>[]) => {
    for (const message of messages) {
      const id = message.id ?? `m${++serial}`
      const whole: Outgoing = { id, body: Buffer.from(message.key ?? id), group: '', key: id, attributes: {}, ...message }
      const sentAt = Number(whole.attributes.sentAt ?? clock.now())
      stored.push({ ...whole, sentAt, receives: 0, visibleAt: clock.now() + (whole.delayMs ?? 0) })
    }
    wake()
  }

  const visible = (max: number): Stored[] => {
    const now = clock.now()
    const blocked = new Set(fifo ? stored.filter(({ visibleAt }) => visibleAt > now).map(({ group }) => group) : [])
    return stored.filter(({ visibleAt, group }) => visibleAt <= now && !blocked.has(group)).slice(0, max)
  }

  const hand = (message: Stored): Item => {
    message.receives++
    message.visibleAt = clock.now() + visibilityMs
    const { id, body, group, key, sentAt, attributes } = message
    const item = { id, body, group, key, sentAt, attributes, receives: message.receives + Number(attributes.tries ?? 0) }
    handed.set(item, { of: message, receives: message.receives })
    return item
  }

  /** The stored message, while the receive that gave this item is still the latest one and not expired. */
  const leased = (item: Item) => {
    const lease = handed.get(item)
    const valid = lease && stored.includes(lease.of) && lease.of.receives === lease.receives && lease.of.visibleAt > clock.now()
    if (!valid) throw new GatewayError('LEASE_LOST', 'somebody else has it')
    return lease.of
  }

  return {
    name,
    fifo,
    dead,
    calls,
    put,
    get size() {
      return stored.length
    },
    keys: () => stored.map(({ key }) => key),
    async receive(max, waitMs, signal) {
      calls.receive++
      const until = clock.now() + waitMs
      for (;;) {
        const found = visible(Math.min(max, 10))
        if (found.length > 0) return found.map(hand)
        const next = Math.min(until, ...stored.map(({ visibleAt }) => visibleAt).filter((at) => at > clock.now()))
        if (clock.now() >= until) {
          calls.empty++
          return []
        }
        const off = new AbortController()
        await Promise.race([arrived.promise, clock.sleep(next - clock.now(), AbortSignal.any([signal, off.signal]))]).finally(() =>
          off.abort(),
        )
        signal.throwIfAborted()
      }
    },
    async remove(items) {
      calls.remove++
      for (const item of items) {
        const lease = handed.get(item)
        stored = stored.filter((message) => message !== lease?.of)
      }
      wake()
    },
    async hold(item, ms) {
      calls.hold++
      leased(item).visibleAt = clock.now() + ms
      wake()
    },
    async bury(item, reason) {
      dead.push({ item, reason })
      const lease = handed.get(item)
      if (lease) stored = stored.filter((message) => message !== lease.of)
    },
    async send(messages) {
      calls.send++
      put(messages)
    },
    async depth() {
      const waiting = visible(Infinity).length
      return { waiting, inFlight: stored.length - waiting }
    },
  }
}
