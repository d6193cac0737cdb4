// Receives from a queue only while there is room, with more receivers the fuller the answers are.
import { backoffMs } from '../../lib/backoff.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Item, Queue } from './queue.ts'

export interface IntakeOptions {
  readonly queue: Queue
  /** The most receives under way at once. One is enough for an empty queue, and all it gets. */
  readonly receivers: number
  readonly waitMs: number
  /** How many more items there is room for, those already asked for not counted. 0: not now. */
  readonly room: (asked: number) => number
  readonly take: (items: readonly Item[]) => void
  readonly failed: (error: unknown) => void
  readonly clock: Clock
  readonly random: () => number
}

export interface Intake {
  start(): void
  /** There may be room again. */
  wake(): void
  /** Resolves when no receive is under way any more. */
  stop(): Promise<void>
}

const perReceive = 10
/** A queue that has something answers within this. */
const answerMs = 250
const retry = { baseMs: 200, capMs: 10_000 }

export function createIntake({ queue, receivers, waitMs, room, take, failed, clock, random }: IntakeOptions): Intake {
  const aborting = new AbortController()
  const { signal } = aborting
  let stopping = false
  let askedAt = -Infinity
  let running: Promise<unknown> | undefined
  let asked = 0
  /** Receivers with a lower index than this may poll: full answers raise it, an empty one sets it back to one. */
  let wanted = 1
  let change = Promise.withResolvers<void>()

  const wake = () => {
    change.resolve()
    change = Promise.withResolvers<void>()
  }

  /** One receive; how many came is what decides about the number of receivers. */
  const receive = async (max: number) => {
    asked += max
    askedAt = clock.monotonic()
    try {
      const items = await queue.receive(max, waitMs, signal)
      if (items.length > 0) take(items)
      wanted = items.length === max ? Math.min(receivers, wanted + 1) : items.length === 0 ? 1 : wanted
    } finally {
      asked -= max
      wake()
    }
  }

  const run = async (index: number) => {
    let failures = 0
    while (!stopping) {
      const max = index < wanted ? Math.min(perReceive, room(asked)) : 0
      if (max <= 0) {
        await change.promise
        continue
      }
      try {
        await receive(max)
        failures = 0
      } catch (error) {
        if (signal.aborted) return
        failed(error)
        if (stopping) return
        await clock.sleep(backoffMs(retry, failures++, random), signal).catch(() => undefined)
      }
    }
  }

  return {
    start() {
      running ??= Promise.all(Array.from({ length: receivers }, (_, index) => run(index)))
    },
    wake,
    async stop() {
      stopping = true
      wake()
      // What is on its way to a poll that is given up stays hidden for a visibility timeout, so only a poll that has found nothing is.
      const graceMs = askedAt + answerMs - clock.monotonic()
      if (running && graceMs > 0) {
        const answered = new AbortController()
        await Promise.race([running, clock.sleep(graceMs, answered.signal).catch(() => undefined)])
        answered.abort()
      }
      aborting.abort()
      await running
    },
  }
}
