// A lasting condition of the gateway, such as an unavailable target: reported once when it begins and once when it has ended.
import type { Clock } from '../../lib/clock.ts'
import type { Fields } from './events.ts'
import type { Observe } from './observe.ts'

export interface Condition {
  /** The condition holds. `more` joins the fields of the event. */
  raise(more?: Fields): void
  /** A sign that the condition is over, such as a successful write. Cheap when it does not hold. */
  clear(): void
}

export interface ConditionDeps {
  readonly observe: Observe
  readonly clock: Pick<Clock, 'monotonic' | 'every'>
}

/** Time without another `raise` after which a cleared condition counts as ended. */
const quietMs = 1_000
/** A condition that returns within this time of its end is flapping: its next quiet time is twice as long. */
const flappingMs = 60_000
const maxQuietMs = 60_000

/*
   gateway.degraded ◀─ raise ─ (ended)
   (holds) ─ clear ─▶ (quiet) ─ quiet time over ─▶ gateway.recovered
                         └── raise ─▶ (holds), no event
*/
export function createCondition({ observe, clock }: ConditionDeps, fields: Fields): Condition {
  let raised: { readonly at: number; readonly about: Fields } | undefined
  let endedAt = -Infinity
  let quiet = quietMs
  let stopWaiting: (() => void) | undefined

  const cancel = () => {
    stopWaiting?.()
    stopWaiting = undefined
  }
  const end = () => {
    cancel()
    const { at, about } = raised!
    raised = undefined
    endedAt = clock.monotonic()
    observe.record('gateway.recovered', { ...about, ms: Math.round(endedAt - at) })
  }
  return {
    raise(more) {
      cancel()
      if (raised) return
      const at = clock.monotonic()
      quiet = at - endedAt < flappingMs ? Math.min(quiet * 2, maxQuietMs) : quietMs
      raised = { at, about: { ...fields, ...more } }
      observe.record('gateway.degraded', raised.about)
    },
    clear() {
      if (raised && !stopWaiting) stopWaiting = clock.every(quiet, end)
    },
  }
}
