// The bench of `weir fairness` and `weir ordering` on queues in memory and a clock that is moved while they run.
import type { Bench } from '../../gateway/cli/experiment.ts'
import type { ManualClock } from './manual-clock.ts'
import { createMemoryQueue, type MemoryQueue } from './memory-queue.ts'

export interface MemoryBench extends Bench {
  /** Moves the clock until the work is done. */
  run<T>(work: Promise<T>): Promise<T>
}

export function createMemoryBench(clock: ManualClock): MemoryBench {
  const queues = new Map<string, MemoryQueue>()
  const total = (of: (calls: MemoryQueue['calls']) => number) => [...queues.values()].reduce((sum, { calls }) => sum + of(calls), 0)
  return {
    queue: (name) => queues.get(name)!,
    requests: () => ({ ReceiveMessage: total(({ receive }) => receive), DeleteMessageBatch: total(({ remove }) => remove) }),
    async createQueues(names) {
      for (const name of names) queues.set(name, createMemoryQueue({ clock, name }))
    },
    async stop() {},
    async run(work) {
      let over = false
      const done = work.finally(() => {
        over = true
      })
      while (!over) await clock.advance(10)
      return done
    },
  }
}
