// One call for everything that happens. What becomes of it (log, counter, ledger, live view) is decided here and in events.ts.
import type { EventName, Fields } from './events.ts'

export interface Observe {
  /** Never throws and never waits: it may stand on the hot path. */
  record(event: EventName, fields?: Fields): void
}
