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
  /** Gets what a receive still brings after the stop. */
  readonly giveBack: (items: readonly Item[]) => void
  readonly failed: (error: unknown) => void
  readonly clock: Clock
  readonly random: () => number
}

export interface Intake {
  start(): void
  /** There may be room again. */
  wake(): void
  /**
   * Resolves when no receive is under way any more. A receive under way is not aborted: the queue could hand messages to it that
   * nobody reads, and they would stay hidden for a visibility timeout. It ends by itself after `waitMs`.
   */
  stop(): Promise<void>
}

const perReceive = 10
/** The longest that an answer may take after the wait of its receive is over. */
const answerMs = 2_000
const retry = { baseMs: 200, capMs: 10_000 }

export function createIntake({ queue, receivers, waitMs, room, take, giveBack, failed, clock, random }: IntakeOptions): Intake {
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
      if (items.length > 0) (stopping ? giveBack : take)(items)
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
      const answered = new AbortController()
      const graceMs = Math.max(0, askedAt + waitMs + answerMs - clock.monotonic())
      if (running && asked > 0) await Promise.race([running, clock.sleep(graceMs, answered.signal).catch(() => undefined)])
      answered.abort()
      aborting.abort() // a queue that does not answer, or the pause after a failed receive
      await running
    },
  }
}
