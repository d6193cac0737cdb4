// One batcher per target, for actions whose target is a template: made when first used, forgotten when idle and many.
/** How many idle batchers are kept. Those at work are not counted: deliveries in flight bound them already. */
const keptIdle = 64

/** A batcher, or the batchers of a target that has several. */
interface Drains {
  isIdle(): boolean
  /** Resolves when everything handed over has been answered. */
  drained(): Promise<void>
}

export interface Batchers<B extends Drains> extends Drains {
  of(target: string): B
  size(): number
}

export function createBatchers<B extends Drains>(create: (target: string) => B): Batchers<B> {
  const byTarget = new Map<string, B>()
  const forgetIdle = () => {
    for (const [target, batcher] of byTarget) {
      if (byTarget.size < keptIdle) return
      if (batcher.isIdle()) byTarget.delete(target)
    }
  }
  return {
    of(target) {
      const known = byTarget.get(target)
      if (known) return known
      if (byTarget.size >= keptIdle) forgetIdle()
      const batcher = create(target)
      byTarget.set(target, batcher)
      return batcher
    },
    async drained() {
      await Promise.all([...byTarget.values()].map((batcher) => batcher.drained()))
    },
    isIdle() {
      for (const batcher of byTarget.values()) if (!batcher.isIdle()) return false
      return true
    },
    size: () => byTarget.size,
  }
}
