// Where messages wait for a target that is away, so that they do not stand in front of those for others: a spool per action of a rule.
import type { Clock } from '../lib/clock.ts'
import type { Sink } from './actions/action.ts'
import type { Message } from './message.ts'
import type { Observe } from './observe/observe.ts'
import type { Lane, Overflow, Part } from './rules/dispatch.ts'
import type { Rule } from './rules/rule-set.ts'
import type { Spool } from './spool/spool.ts'

/*
   spool ─▶ rules ─┬─ held by its target: fewer than its share, or it is well ──▶ target
                   └─ else ─▶ lane: written behind what waits there ─▶ read ────▶ target        the spool may forget the message

   A lane that has been begun takes every message of its action until it is empty, so none overtakes another.
*/
export interface OverflowOptions {
  /** The spool of a lane, not yet started. It must not refuse for want of room: `maxBytes` does, for all lanes together. */
  open(name: string): Spool
  /** The lanes that an earlier run left. */
  names(): Promise<readonly string[]>
  /** What one target may hold of the messages in flight before the next ones make way: their number, and the bytes of their payloads. */
  readonly maxHeld: number
  readonly maxHeldBytes: number
  readonly maxBytes: number
  readonly observe: Observe
  readonly clock: Clock
}

export interface Lanes extends Overflow {
  /** Opens what an earlier run left. `onLane` is called for each lane, now and later, with what is to be read. */
  start(onLane: (spool: Spool, part: Part) => void): Promise<void>
  /** Messages that waited in the spool when the gateway started have all been dispatched. */
  settledIn(): void
  /** Written and not settled. */
  readonly messages: number
  /** On their way into a lane: on either side of it. */
  readonly parking: number
  stop(): Promise<void>
}

interface Parking {
  readonly message: Message
  readonly parked: () => void
}

const retryMs = 1_000

export function createOverflow(options: OverflowOptions): Lanes {
  const { open, names, maxHeld, maxHeldBytes, maxBytes, observe, clock } = options
  const spools = new Set<Spool>()
  const byName = new Map<string, Lane>()
  const bySink = new WeakMap<Sink, Lane>()
  let settlingIn = true
  let parking = 0
  let onLane: (spool: Spool, part: Part) => void = () => {}

  const sum = (of: 'messages' | 'bytes') => [...spools].reduce((total, { depth }) => total + depth[of], 0)

  const createLane = (name: string, left?: Spool): Lane => {
    const [rule = '', action] = name.split('.')
    const part = { rule, action: Number(action) }
    /** What is older than the lane's first message was with the target when the last run ended, and goes there first. */
    const beganAt = left?.depth.oldestAt ?? 0
    let spool = left
    let held = 0
    let heldBytes = 0
    let waiting: Parking[] = []
    let writing = 0
    let writer: Promise<void> | undefined

    const begin = async () => {
      const begun = open(name)
      await begun.start()
      spools.add(begun)
      spool = begun
      onLane(begun, part)
    }

    /** All or none of a batch, and nothing before what was called earlier: a lane keeps the order through every failure. */
    const write = async (signal: AbortSignal) => {
      while (waiting.length > 0) {
        const batch = waiting
        waiting = []
        writing = batch.length
        for (;;) {
          try {
            if (!spool) await begin()
            while (sum('bytes') >= maxBytes) await clock.sleep(retryMs, signal)
            await Promise.all(batch.map(({ message }) => spool!.append(message)))
            break
          } catch {
            await clock.sleep(retryMs, signal) // the spool has said what is wrong
          }
        }
        writing = 0
        for (const { parked } of batch) parked()
      }
      writer = undefined
    }

    return {
      takes({ receivedAt }, sink) {
        const begun = writing > 0 || waiting.length > 0 || (spool !== undefined && spool.depth.messages > 0)
        if (begun) return !(settlingIn && receivedAt < beganAt)
        return (held >= maxHeld || heldBytes >= maxHeldBytes) && sink.isAway?.() === true
      },
      park(message, signal) {
        parking++
        return new Promise<'moved'>((resolve, reject) => {
          const parked = () => {
            parking--
            observe.record('message.parked', { rule })
            resolve('moved')
          }
          waiting.push({ message, parked })
          writer ??= write(signal)
          writer.catch(reject) // only a stop ends it early
        })
      },
      enter(bytes) {
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
        const [rule = '', action] = name.split('.')
        onLane(spool, { rule, action: Number(action) })
      }
    },
    settledIn() {
      settlingIn = false
    },
    get messages() {
      return sum('messages')
    },
    get parking() {
      return parking
    },
    async stop() {
      await Promise.all([...spools].map((spool) => spool.stop()))
    },
  }
}
