// The fate of what was handled: removed, tried again, buried with a reason, or given back.
import { backoffMs } from '../../lib/backoff.ts'
import type { Clock } from '../../lib/clock.ts'
import { codeOf, type ErrorCode, GatewayError } from '../errors.ts'
import type { ConsumerOptions } from './consumer-config.ts'
import { deadReason, isPermanentFailure, isStopping } from './failure.ts'
import type { Held, InHand } from './in-hand.ts'
import { type Item, type Queue, toOutgoing } from './queue.ts'
import type { Tally } from './tally.ts'

export interface Settling {
  /** Resolves when the queue has let go of it. */
  done(entry: Held): Promise<void>
  /** Buried where that was its last try, else tried again. */
  fail(entry: Held, error: Error): Promise<void>
  /** A part as a message of its own. */
  retryPart(entry: Held, item: Item, error: Error): Promise<void>
  /** Rejects where the dead-letter queue did not take it. */
  bury(entry: Held, item: Item, code: ErrorCode, said: string): Promise<void>
  /** Nothing was tried: it is visible to other consumers at once. */
  release(entry: Held): Promise<void>
  /** Its lease is gone. FIFO: its successors are given back as well, because none may be handled before it. */
  lost(entry: Held): Promise<void>
  /** false: somebody else has them, or will. */
  removeAll(from: Queue, items: readonly Item[]): Promise<boolean>
}

export interface SettlingOptions {
  readonly queue: Queue
  readonly options: Pick<ConsumerOptions, 'maxReceives' | 'retry'>
  readonly inHand: Pick<InHand, 'letGo'>
  readonly tally: Tally
  readonly clock: Pick<Clock, 'monotonic' | 'sleep'>
  readonly random: () => number
}

const queueTrouble: ReadonlySet<ErrorCode> = new Set(['QUEUE_UNREACHABLE', 'QUEUE_MISSING', 'QUEUE_REFUSED', 'DEAD_LETTER_QUEUE_MISSING'])
/** The successors of a lost FIFO message are visible again after this time. */
const lostMs = 1_000
const callTries = 4
const callRetry = { baseMs: 100, capMs: 2_000 }

export function createSettling({ queue, options, inHand, tally, clock, random }: SettlingOptions): Settling {
  const { maxReceives } = options
  const retryMs = (failures: number) => backoffMs({ baseMs: options.retry.base, capMs: options.retry.cap }, failures, random)

  const fail = async (entry: Held, error: Error): Promise<void> => {
    const { item } = entry
    if (isStopping(error)) return release(entry)
    // A part could be neither sent on nor buried, which is no fault of the handler.
    if (queueTrouble.has(codeOf(error, 'HANDLER_FAILED'))) return retry(entry)
    try {
      if (isPermanentFailure(error)) {
        await bury(entry, item, 'HANDLER_REFUSED', error.reason)
        inHand.letGo(entry)
        return
      }
      tally.failed(entry, error)
      const tries = item.receives + entry.tries
      if (tries >= maxReceives) {
        await bury(entry, item, codeOf(error, 'HANDLER_FAILED'), triesText(tries))
        inHand.letGo(entry)
        return
      }
    } catch {
      // The dead-letter queue is missing or away: the item stays where it is and comes back.
    }
    await retry(entry)
  }

  const retry = async (entry: Held) => {
    const ms = retryMs(entry.item.receives + entry.tries - 1)
    if (!queue.fifo) return giveBack(entry, ms)
    // In hand, not by visibility: its successors would be received in vain with it and run out of receives.
    entry.tries++
    entry.lanes.unshift(entry.lane, entry)
    entry.lanes.pause(entry.lane, clock.monotonic() + ms)
  }

  const retryPart = async (entry: Held, item: Item, error: Error) => {
    tally.failed(entry, error)
    if (item.receives >= maxReceives) return bury(entry, item, codeOf(error, 'HANDLER_FAILED'), triesText(item.receives))
    const outgoing = toOutgoing(item)
    const attributes = { ...outgoing.attributes, tries: String(item.receives) }
    const part = { ...outgoing, id: item.key, attributes, delayMs: retryMs(item.receives - 1) }
    await insist(entry.from, () => entry.from.send([part]))
  }

  const bury = async (entry: Held, item: Item, code: ErrorCode, said: string) => {
    try {
      // A copy, by the main queue, so that a replay goes there. The item is removed with as many tries as any.
      await queue.bury({ ...item }, deadReason(code, said))
      if (item === entry.item) await removeAll(entry.from, [item])
    } catch (error) {
      tally.unreachable(queue, error)
      throw error
    }
    tally.buried(entry, item, code)
  }

  const giveBack = async (entry: Held, ms: number) => {
    inHand.letGo(entry)
    await entry.from.hold(entry.item, ms).catch(() => undefined) // it comes back by itself then, later
  }

  const release = (entry: Held) => giveBack(entry, 0)

  const lost = async (entry: Held) => {
    inHand.letGo(entry)
    if (queue.fifo) await Promise.all(entry.lanes.drainLane(entry.lane).map((successor) => giveBack(successor, lostMs)))
  }

  const done = async (entry: Held) => {
    if (!(await removeAll(entry.from, [entry.item]))) return lost(entry)
    inHand.letGo(entry)
  }

  /** Several tries, because what was handled and not removed is handled twice. */
  const removeAll = async (from: Queue, items: readonly Item[]): Promise<boolean> => {
    let left = items
    try {
      await insist(from, () =>
        from.remove(left).catch((error) => {
          if (error instanceof GatewayError && Array.isArray(error.details.failed)) left = error.details.failed as Item[]
          throw error
        }),
      )
    } catch (error) {
      if (codeOf(error, 'QUEUE_UNREACHABLE') !== 'LEASE_LOST') return true // it comes back when its lease ends
      tally.expired(left.length)
      return false
    }
    return true
  }

  /** Several tries of what the queue should take; rejects with what the last one said. */
  const insist = async (on: Queue, call: () => Promise<void>): Promise<void> => {
    for (let i = 1; ; i++) {
      try {
        return await call()
      } catch (error) {
        if (codeOf(error, 'QUEUE_UNREACHABLE') === 'LEASE_LOST') throw error
        tally.unreachable(on, error)
        if (i === callTries) throw error
        await clock.sleep(backoffMs(callRetry, i - 1, random))
      }
    }
  }

  return { done, fail, retryPart, bury, release, lost, removeAll }
}

const triesText = (tries: number) => `failed ${tries} ${tries === 1 ? 'time' : 'times'}`
