// Where messages wait for a target that is away, so that they do not stand in front of those for others: a spool per action of a rule.
import type { Clock } from '../../lib/clock.ts'
import type { Delivery, Sink } from '../actions/action.ts'
import type { Observe } from '../observe/observe.ts'
import type { Rule } from '../rules/rule-set.ts'
import type { DurableSpool, Spool } from '../spool/spool.ts'
import type { Lane, Overflow, Parked, Part } from './dispatch.ts'
import { createParkedTargets } from './parked-targets.ts'

/*
   spool ─▶ rules ─┬─ held by its target: fewer than its share, or it is well ──▶ target
                   └─ else ─▶ lane: written behind what waits there ─▶ read ────▶ target        the spool may forget the message

   A lane that has been begun takes every message of its action until it is empty, so none overtakes another. When little is left of it
   and the target is well, what comes waits in memory for that little, and then goes straight.
*/
export interface OverflowOptions {
  /** The spool of a lane, not yet started. It must not refuse for want of room: `maxBytes` does, for all lanes together. */
  open(name: string): DurableSpool
  /** The lanes that an earlier run left. */
  names(): Promise<readonly string[]>
  /** What one target may hold of the messages in flight before the next ones make way: their number, and the bytes of their payloads. */
  readonly maxHeld: number
  readonly maxHeldBytes: number
  readonly maxBytes: number
  readonly observe: Observe
  readonly clock: Clock
}

/** What is to be read for which action, once what is older has gone ahead; to be told of every message that was handed to it. */
export type OnLane = (spool: Spool, part: Part, handed: () => void, settledIn: Promise<void>) => void

export interface Lanes extends Overflow {
  /** Opens what an earlier run left, and calls back for each lane, now and later. */
  start(onLane: OnLane): Promise<void>
  /** Messages that waited in the spool when the gateway started have all been dispatched. */
  settledIn(): void
  /** Written and not settled. */
  readonly messages: number
  /** On their way into a lane: on either side of it. */
  readonly parking: number
  stop(): Promise<void>
}

interface Parking {
  readonly delivery: Delivery
  readonly settle: (how: Parked) => void
  readonly fail: (error: unknown) => void
}

const retryMs = 1_000
const lookAgainMs = 5

export function createOverflow(options: OverflowOptions): Lanes {
  const { open, names, maxHeld, maxHeldBytes, maxBytes, observe, clock } = options
  const spools = new Set<DurableSpool>()
  const byName = new Map<string, Lane>()
  const bySink = new WeakMap<Sink, Lane>()
  /** For lanes of an earlier run; undefined when everything that run left in the spool has been dispatched. */
  let onSettledIn: (() => void)[] | undefined = []
  let parking = 0
  let stopped = false
  let onLane: OnLane = () => {}

  const sum = (of: 'messages' | 'bytes') => [...spools].reduce((total, spool) => total + spool.depth()[of], 0)

  const createLane = (name: string, left?: DurableSpool): Lane => {
    const [rule = '', action] = name.split('.')
    const part = { rule, action: Number(action) }
    /** What is older than the lane's first message was with the target when the last run ended, and goes there first. */
    const beganAt = left?.depth().oldestAt ?? 0
    const settled = Promise.withResolvers<void>()
    let settlingIn = false
    const settleIn = () => {
      settlingIn = false
      settled.resolve()
    }
    if (left && onSettledIn) {
      settlingIn = true
      onSettledIn.push(settleIn)
    } else settleIn()
    let spool = left
    let sink: Sink | undefined
    let held = 0
    let heldBytes = 0
    let waiting: Parking[] = []
    let writing = 0
    /** Written, and not yet handed to the target. */
    let behind = left?.depth().messages ?? 0
    /** Told to go straight, and not yet gone. */
    let going = 0
    let isWriting = false
    /** Only a stop ends writing early, and nothing is parked after it. */
    let ended: { readonly error: unknown } | undefined
    const handed = () => void behind--
    const parked = createParkedTargets(behind)

    const unpark = (delivery: Delivery, from: Sink | undefined) => {
      if (from?.targetOf) parked.remove(from.targetOf(delivery))
    }

    const begin = async () => {
      const begun = open(name)
      await begun.start()
      spools.add(begun)
      if (stopped) await begun.stop()
      spool = begun
      onLane(begun, part, handed, settled.promise)
    }

    /** Resolves with true when the lane is empty, if that is a matter of a few answers; with false when it is not. */
    const isEmptySoon = async (signal: AbortSignal) => {
      while (sink?.isAway?.(waiting[0]?.delivery) !== true) {
        if (!spool || spool.depth().messages === 0) return true
        if (settlingIn || behind >= maxHeld || waiting.length >= maxHeld) return false
        await clock.sleep(lookAgainMs, signal)
      }
      return false
    }

    /** Returns those that could not be written; the spool has said why. */
    const append = async (batch: readonly Parking[]): Promise<readonly Parking[]> => {
      try {
        if (sum('bytes') >= maxBytes) return batch
        if (!spool) await begin()
        // What went through it before must not come back, or a restart would take its age for that of what comes now.
        else if (spool.depth().messages === 0) await spool.checkpoint()
      } catch {
        return batch
      }
      behind += batch.length
      const results = await Promise.allSettled(batch.map(({ delivery }) => spool!.append(delivery.message)))
      const left = batch.filter((_, index) => results[index]!.status === 'rejected')
      behind -= left.length
      for (const [index, { settle }] of batch.entries()) if (results[index]!.status === 'fulfilled') settle('moved')
      return left
    }

    const letGo = () => {
      const all = waiting
      waiting = []
      going += all.length
      for (const { settle } of all) settle('go')
    }

    /** Nothing is written before what was called earlier: a lane keeps the order through every failure. */
    const write = async (signal: AbortSignal) => {
      while (waiting.length > 0) {
        if (await isEmptySoon(signal)) {
          letGo()
          continue
        }
        const batch = waiting
        waiting = []
        writing = batch.length
        const unwritten = await append(batch)
        writing = 0
        waiting = [...unwritten, ...waiting]
        if (unwritten.length > 0) await clock.sleep(retryMs, signal)
      }
      isWriting = false
    }

    if (left) onLane(left, part, handed, settled.promise)
    return {
      takes(delivery, to) {
        const { receivedAt } = delivery.message
        sink = to
        // The spool has the oldest first, so what is older than the lane has gone ahead.
        if (settlingIn && receivedAt >= beganAt) settleIn()
        const begun = going > 0 || writing > 0 || waiting.length > 0 || (spool !== undefined && spool.depth().messages > 0)
        const isFull = held >= maxHeld || heldBytes >= maxHeldBytes
        if (begun ? settlingIn && receivedAt < beganAt : !(isFull && to.isAway?.(delivery))) return false
        return !(held < 2 * maxHeld && heldBytes < 2 * maxHeldBytes && to.isFree?.(delivery, parked.mayHold))
      },
      park(delivery, signal) {
        if (ended) return Promise.reject(ended.error)
        parking++
        return new Promise<Parked>((resolve, reject) => {
          const settle = (how: Parked) => {
            parking--
            if (how === 'go') unpark(delivery, sink)
            if (how === 'moved') observe.record('message.parked', { rule })
            resolve(how)
          }
          const fail = (error: unknown) => {
            parking--
            reject(error)
          }
          if (sink?.targetOf) parked.add(sink.targetOf(delivery))
          waiting.push({ delivery, settle, fail })
          if (isWriting) return
          isWriting = true
          write(signal).catch((error) => {
            ended = { error }
            for (const { fail } of waiting.splice(0)) fail(error)
          })
        })
      },
      unpark,
      enter(bytes) {
        if (going > 0) going--
        held++
        heldBytes += bytes
      },
      leave(bytes) {
        held--
        heldBytes -= bytes
      },
    }
  }

  return {
    laneOf(rule: Rule, action: number) {
      const sink = rule.sinks[action]!
      const known = bySink.get(sink)
      if (known) return known
      const name = `${rule.name}.${action}`
      const lane = byName.get(name) ?? createLane(name)
      byName.set(name, lane)
      bySink.set(sink, lane)
      return lane
    },
    async start(listener) {
      onLane = listener
      for (const name of await names()) {
        const spool = open(name)
        await spool.start()
        spools.add(spool)
        byName.set(name, createLane(name, spool))
      }
    },
    settledIn() {
      for (const settleIn of onSettledIn ?? []) settleIn()
      onSettledIn = undefined
    },
    get messages() {
      return sum('messages')
    },
    get parking() {
      return parking
    },
    async stop() {
      stopped = true
      await Promise.all([...spools].map((spool) => spool.stop()))
    },
  }
}
