// An Observe that remembers, and that a test can wait on.
import type { EventName, Fields } from '../../gateway/observe/events.ts'
import type { Observe } from '../../gateway/observe/observe.ts'

export interface Recorded {
  readonly event: EventName
  readonly fields: Fields
}

export interface SpyObserve extends Observe {
  readonly recorded: readonly Recorded[]
  of(event: EventName): readonly Fields[]
  /** Resolves with the first matching event, one already recorded included. */
  next(event: EventName, matches?: (fields: Fields) => boolean): Promise<Fields>
}

export function createSpyObserve(): SpyObserve {
  const recorded: Recorded[] = []
  const waiting = new Set<(recorded: Recorded) => void>()
  return {
    recorded,
    record(event, fields = {}) {
      const entry = { event, fields }
      recorded.push(entry)
      for (const check of waiting) check(entry)
    },
    of: (event) => recorded.filter((entry) => entry.event === event).map(({ fields }) => fields),
    next(event, matches = () => true) {
      const fits = (entry: Recorded) => entry.event === event && matches(entry.fields)
      const known = recorded.find(fits)
      if (known) return Promise.resolve(known.fields)
      return new Promise((resolve) => {
        const check = (entry: Recorded) => {
          if (!fits(entry)) return
          waiting.delete(check)
          resolve(entry.fields)
        }
        waiting.add(check)
      })
    },
  }
}
