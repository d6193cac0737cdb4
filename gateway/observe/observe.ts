// One call for everything that happens. What becomes of it (log, counter, ledger, live view) is decided here and in events.ts.
import { type EventKind, type EventName, events, type Fields } from './events.ts'
import type { Log } from './log.ts'
import { createMetrics, type Metrics } from './metrics.ts'

export interface Observe {
  /** Never throws and never waits: it may stand on the hot path. */
  record(event: EventName, fields?: Fields): void
}

export type Listener = (event: EventName, fields: Fields) => void

export interface Observatory extends Observe {
  readonly metrics: Metrics
  /** Sees every event until the returned function is called. */
  listen(listener: Listener): () => void
}

const nothing: Fields = {}

/** What happens with every message is counted, and no more. The log would turn it away too, a few calls later. */
const written = new Set(Object.entries<EventKind>(events).flatMap(([event, { level }]) => (level === 'none' ? [] : [event])))

export function createObserve(log?: Log): Observatory {
  const metrics = createMetrics()
  const listeners = new Set<Listener>()
  return {
    metrics,
    record(event, fields = nothing) {
      metrics.count(event, fields)
      if (log && written.has(event)) log.write(event, fields)
      if (listeners.size > 0) for (const listener of listeners) listener(event, fields)
    },
    listen(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
