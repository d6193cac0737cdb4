// What the page shows, once a second while somebody looks: the whole river as one JSON document, and what is worth a line of its own.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type EventKind, events } from '../observe/events.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { Reader, Readers } from './readers.ts'

/** What goes through AWS a second, for whoever knows the prices. */
export interface Rates {
  readonly connections: number
  readonly messages: number
  readonly rules: number
  readonly actions: number
  readonly sent: number
}

export interface RiverSources {
  readonly metrics: Metrics
  /** What an action delivers to: `queue`, `topic`. */
  readonly nounOf: (action: string) => string
  readonly health: () => object
  /** Named parts of the picture that others know: the ledger, rules, tenants. */
  readonly parts: Readonly<Record<string, () => unknown>>
  /** Asks the queues themselves, which costs money on AWS: not every second. */
  readonly queues: () => Promise<unknown>
  readonly readers: Readers
  readonly events: (listener: (event: string, fields: object) => void) => () => void
  /** Dollars of a month at these rates; absent where nobody knows prices. */
  readonly monthlyDollars?: ((rates: Rates) => number) | undefined
  readonly clock: { now(): number; monotonic(): number; every(ms: number, call: () => void): () => void }
}

const everyMs = 1_000
const queuesEverySeconds = 5
/** Rates for the price are over this many looks. */
const rateLooks = 10
/** Lines of events in a second; what is beyond is in the log. */
const maxNotes = 12

export function addRiver(server: FastifyInstance, sources: RiverSources): void {
  const watchers = new Set<Reader>()
  let stop = () => {}

  const send = (event: string, data: object) => {
    for (const watcher of watchers) watcher.send(event, data)
  }

  const start = () => {
    const { clock } = sources
    const look = createLook(sources)
    let notes = 0
    const deaf = sources.events((event, fields) => {
      const { level }: EventKind = events[event as keyof typeof events]
      if (level === 'none' || level === 'debug' || ++notes > maxNotes) return
      send('note', { at: clock.now(), level, event, ...fields })
    })
    const show = () => {
      notes = 0
      send('river', look())
    }
    const off = clock.every(everyMs, show)
    stop = () => {
      off()
      deaf()
    }
    return show
  }
  let show = () => {}

  server.get('/api/river', (request: FastifyRequest, reply: FastifyReply) => {
    const reader = sources.readers.open(request, reply, () => {
      if (watchers.delete(reader) && watchers.size === 0) stop()
    })
    watchers.add(reader)
    if (watchers.size === 1) show = start()
    show()
  })
}

interface Totals extends Omit<Rates, 'connections'> {
  readonly at: number
}

/** One look after another: rates are over the last few. */
function createLook({ metrics, nounOf, health, parts, queues, monthlyDollars, clock }: RiverSources): () => object {
  let looks = 0
  let known: unknown
  let before: readonly Totals[] = []

  const connections = () => metrics.total('client.connected') - metrics.total('client.disconnected')
  const deliveries = () =>
    metrics.series('action.delivered').map(({ labels, value }) => ({ ...labels, noun: nounOf(labels.action ?? ''), value }))
  const totals = (): Totals => ({
    at: clock.monotonic(),
    messages: metrics.total('message.accepted'),
    rules: metrics.total('rule.matched'),
    actions: metrics.total('action.delivered'),
    sent: deliveries().reduce((sum, { noun, value }) => (noun === 'queue' ? sum + value : sum), 0),
  })
  const ratesSince = (then: Totals, now: Totals): Rates => {
    const seconds = (now.at - then.at) / 1_000
    const rate = (name: 'messages' | 'rules' | 'actions' | 'sent') => (now[name] - then[name]) / seconds
    return { connections: connections(), messages: rate('messages'), rules: rate('rules'), actions: rate('actions'), sent: rate('sent') }
  }

  return () => {
    if (looks++ % queuesEverySeconds === 0)
      queues().then(
        (answer) => {
          known = answer
        },
        () => undefined,
      )
    const now = totals()
    const [oldest] = before
    before = [...before.slice(1 - rateLooks), now]
    const rates = oldest && now.at > oldest.at ? ratesSince(oldest, now) : undefined
    return {
      at: clock.now(),
      health: health(),
      connections: connections(),
      doors: metrics.series('message.accepted').map(({ labels, value }) => ({ door: labels.transport, value })),
      deliveries: deliveries(),
      failures: metrics.series('action.failed').map(({ labels, value }) => ({ ...labels, value })),
      buried: metrics.total('consumer.buried'),
      queues: known ?? [],
      ...Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, part()])),
      ...(rates && monthlyDollars ? { monthlyDollars: monthlyDollars(rates) } : {}),
    }
  }
}
