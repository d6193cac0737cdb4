// One call for everything that happens. What becomes of it (log, counter, ledger, live view) is decided here and in events.ts.
import type { EventName, Fields } from './events.ts'
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

export function createObserve(log?: Log): Observatory {
  const metrics = createMetrics()
  const listeners = new Set<Listener>()
  return {
    metrics,
    record(event, fields = nothing) {
      metrics.count(event, fields)
      log?.write(event, fields)
      for (const listener of listeners) listener(event, fields)
    },
    listen(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
