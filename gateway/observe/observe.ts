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
  /** Calls the listener for these events, by default for all, until the returned function is called. */
  listen(listener: Listener, of?: readonly EventName[]): () => void
}

const nothing: Fields = {}
const names = Object.keys(events) as EventName[]

interface Row {
  /** Events of single messages are counted and not logged. */
  readonly isLogged: boolean
  readonly listeners: Set<Listener>
}

export function createObserve(log?: Log): Observatory {
  const metrics = createMetrics()
  const rows = new Map<EventName, Row>()
  for (const name of names) {
    const { level }: EventKind = events[name]
    rows.set(name, { isLogged: level !== 'none', listeners: new Set() })
  }
  return {
    metrics,
    record(event, fields = nothing) {
      metrics.count(event, fields)
      const { isLogged, listeners } = rows.get(event)!
      if (isLogged && log) log.write(event, fields)
      if (listeners.size > 0) for (const listener of listeners) listener(event, fields)
    },
    listen(listener, of = names) {
      for (const event of of) rows.get(event)!.listeners.add(listener)
      return () => {
        for (const event of of) rows.get(event)!.listeners.delete(listener)
      }
    },
  }
}
