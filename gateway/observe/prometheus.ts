// The counters and gauges in the text format that Prometheus scrapes.
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import { type EventKind, type EventName, events } from './events.ts'
import type { Ledger } from './ledger.ts'
import type { Metrics } from './metrics.ts'

/** Nothing is counted twice: each metric copies its numbers when it is scraped. */
export function createRegistry(metrics: Metrics, ledger: () => Ledger): Registry {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry, prefix: 'weir_' })
  for (const [event, kind] of Object.entries(events) as [EventName, EventKind][]) {
    if (kind.metric === undefined) continue
    new Counter({
      name: `weir_${kind.metric}`,
      help: kind.means,
      labelNames: [...(kind.labels ?? [])],
      registers: [registry],
      collect() {
        this.reset()
        for (const { labels, value } of metrics.series(event)) this.inc(labels, value)
      },
    })
  }
  new Gauge({
    name: 'weir_spool_messages',
    help: 'messages in the spool',
    registers: [registry],
    collect() {
      this.set(ledger().queued)
    },
  })
  new Gauge({
    name: 'weir_messages_lost',
    help: 'acknowledged messages that are missing from the disk, those of earlier runs included',
    registers: [registry],
    collect() {
      this.set(ledger().lost)
    },
  })
  new Gauge({
    name: 'weir_ledger_balanced',
    help: '1 while the ledger balances',
    registers: [registry],
    collect() {
      this.set(ledger().balanced ? 1 : 0)
    },
  })
  return registry
}
