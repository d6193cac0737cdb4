// One batcher per target, for actions whose target is a template: made when first used, forgotten when idle and many.
import type { Batcher } from './batch.ts'

/** How many idle batchers are kept. Those at work are not counted: deliveries in flight bound them already. */
const keptIdle = 64

export interface Batchers<E> {
  of(target: string, create: () => Batcher<E>): Batcher<E>
  /** Resolves when everything handed over has been answered. */
  drained(): Promise<void>
  readonly size: number
}

export function createBatchers<E>(): Batchers<E> {
  const byTarget = new Map<string, Batcher<E>>()
  const forgetIdle = () => {
    for (const [target, batcher] of byTarget) {
      if (byTarget.size < keptIdle) return
      if (batcher.idle) byTarget.delete(target)
    }
  }
  return {
    of(target, create) {
      const known = byTarget.get(target)
      if (known) return known
      if (byTarget.size >= keptIdle) forgetIdle()
      const batcher = create()
      byTarget.set(target, batcher)
      return batcher
    },
    async drained() {
      await Promise.all([...byTarget.values()].map((batcher) => batcher.drained()))
    },
    get size() {
      return byTarget.size
    },
  }
}
