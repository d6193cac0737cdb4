// Counters and nothing else: one number per event and label values, cheap enough for every message.
import { type EventKind, type EventName, events, type Fields } from './events.ts'

export interface Series {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface Metrics {
  /** Adds `fields.count`, or one. */
  count(event: EventName, fields: Fields): void
  /** Sum over all label values, or over those that fit `where`. */
  total(event: EventName, where?: Readonly<Record<string, string>>): number
  series(event: EventName): readonly Series[]
}

interface Counter {
  readonly labels: readonly string[]
  /** By label values joined with NUL; the empty key where there are no labels. */
  readonly values: Map<string, number>
}

export function createMetrics(): Metrics {
  const kinds: readonly (readonly [string, EventKind])[] = Object.entries(events)
  const counters = new Map<string, Counter>(kinds.map(([event, { labels = [] }]) => [event, { labels, values: new Map() }]))

  const series = (event: EventName) => {
    const { labels, values } = counters.get(event)!
    return [...values].map(([key, value]) => {
      const parts = key.split('\0')
      return { labels: Object.fromEntries(labels.map((label, index) => [label, parts[index] ?? ''])), value }
    })
  }

  return {
    count(event, fields) {
      const { labels, values } = counters.get(event)!
      const key = keyOf(labels, fields)
      values.set(key, (values.get(key) ?? 0) + (fields.count ?? 1))
    },
    total: (event, where = {}) =>
      series(event)
        .filter(({ labels }) => Object.entries(where).every(([label, value]) => labels[label] === value))
        .reduce((sum, { value }) => sum + value, 0),
    series,
  }
}

function keyOf(labels: readonly string[], fields: Fields): string {
  if (labels.length === 0) return ''
  let key = String(fields[labels[0]!] ?? '')
  for (let i = 1; i < labels.length; i++) key += `\0${String(fields[labels[i]!] ?? '')}`
  return key
}
