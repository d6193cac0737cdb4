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
  /** Nothing was tried: somebody else may have it soon. */
  release(entry: Held): Promise<void>
  removeAll(from: Queue, items: readonly Item[]): Promise<void>
}

export interface SettlingOptions {
  readonly queue: Queue
  readonly options: Pick<ConsumerOptions, 'maxReceives' | 'retry'>
  readonly inHand: Pick<InHand, 'letGo'>
  readonly tally: Tally
  readonly clock: Pick<Clock, 'now' | 'sleep'>
  readonly random: () => number
}

/** What is given back is there again after this; never 0, see sqs-queue.ts. */
const releaseMs = 1_000
const removeTries = 4
const removeRetry = { baseMs: 100, capMs: 2_000 }

export function createSettling({ queue, options, inHand, tally, clock, random }: SettlingOptions): Settling {
  const { maxReceives } = options
  const retryMs = (failures: number) => backoffMs({ baseMs: options.retry.base, capMs: options.retry.cap }, failures, random)

  const fail = async (entry: Held, error: Error): Promise<void> => {
    const { item } = entry
    if (isStopping(error)) return release(entry)
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
    entry.lanes.pause(entry.lane, clock.now() + ms)
  }

  const retryPart = async (entry: Held, item: Item, error: Error) => {
    tally.failed(entry, error)
    if (item.receives >= maxReceives) return bury(entry, item, codeOf(error, 'HANDLER_FAILED'), triesText(item.receives))
    const outgoing = toOutgoing(item)
    const attributes = { ...outgoing.attributes, tries: String(item.receives) }
    await entry.from.send([{ ...outgoing, id: item.key, attributes, delayMs: retryMs(item.receives - 1) }])
  }

  const bury = async (entry: Held, item: Item, code: ErrorCode, said: string) => {
    try {
      // By the main queue, so that a replay goes there; an item of the overflow queue is a copy to it.
      const aside = entry.from !== queue
      await queue.bury(aside ? { ...item } : item, deadReason(code, said))
      if (aside && item === entry.item) await removeAll(entry.from, [item])
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

  const release = (entry: Held) => giveBack(entry, releaseMs)

  const done = async (entry: Held) => {
    await removeAll(entry.from, [entry.item])
    inHand.letGo(entry)
  }

  /** Several tries, because what was handled and not removed is handled twice. */
  const removeAll = async (from: Queue, items: readonly Item[]) => {
    let left = items
    for (let i = 0; left.length > 0 && i < removeTries; i++) {
      try {
        return await from.remove(left)
      } catch (error) {
        if (codeOf(error, 'QUEUE_UNREACHABLE') === 'LEASE_LOST') return tally.expired(left.length)
        left = error instanceof GatewayError && Array.isArray(error.details.failed) ? (error.details.failed as Item[]) : left
        tally.unreachable(from, error)
        await clock.sleep(backoffMs(removeRetry, i, random))
      }
    }
  }

  return { done, fail, retryPart, bury, release, removeAll }
}

const triesText = (tries: number) => `failed ${tries} ${tries === 1 ? 'time' : 'times'}`
