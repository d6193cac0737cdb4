// Counters and nothing else: one number per event and label values, cheap enough for every message.
import { others } from '../../lib/names.ts'
import { type EventKind, type EventName, events, type Fields } from './events.ts'

export interface Series {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface Metrics {
  /** Adds `fields.count`, or one. Quickest for whoever comes with the same frozen fields again. */
  count(event: EventName, fields: Fields): void
  /** Sum over all label values, or over those that fit `where`. */
  total(event: EventName, where?: Readonly<Record<string, string>>): number
  series(event: EventName): readonly Series[]
}

/** A tree with a level per label: finding a number takes a look-up per label, and no key has to be put together. */
interface Node {
  value: number
  readonly children: Map<string, Node>
}

interface Counter {
  readonly labels: readonly string[]
  readonly root: Node
  /** Those that came last and cannot change, and where they led. */
  lastFields: Fields | undefined
  lastCount: number
  lastNode: Node
}

/** Values of one label. Further values count as `(others)`: some of them come from clients. */
const mostValues = 1_000
/** In characters. */
const longestValue = 256

export function createMetrics(): Metrics {
  const kinds: readonly (readonly [string, EventKind])[] = Object.entries(events)
  const counters = new Map<string, Counter>(kinds.map(([event, { labels = [] }]) => [event, createCounter(labels)]))

  const series = (event: EventName) => {
    const { labels, root } = counters.get(event)!
    const found: Series[] = []
    collect(root, labels, {}, found)
    return found
  }

  return {
    count(event, fields) {
      const counter = counters.get(event)!
      if (counter.lastFields === fields) {
        counter.lastNode.value += counter.lastCount
        return
      }
      const { labels, root } = counter
      let node = root
      for (let i = 0; i < labels.length; i++) node = childOf(node, fields[labels[i]!])
      const count = fields.count ?? 1
      node.value += count
      if (!Object.isFrozen(fields)) return
      counter.lastFields = fields
      counter.lastCount = count
      counter.lastNode = node
    },
    total: (event, where = {}) =>
      series(event)
        .filter(({ labels }) => Object.entries(where).every(([label, value]) => labels[label] === value))
        .reduce((sum, { value }) => sum + value, 0),
    series,
  }
}

function createCounter(labels: readonly string[]): Counter {
  const root = createNode()
  return { labels, root, lastFields: undefined, lastCount: 1, lastNode: root }
}

function createNode(): Node {
  return { value: 0, children: new Map() }
}

function childOf({ children }: Node, field: unknown): Node {
  const label = typeof field === 'string' ? field : String(field ?? '')
  const known = children.get(label)
  if (known) return known
  return children.size < mostValues && label.length <= longestValue
    ? added(children, label)
    : (children.get(others) ?? added(children, others))
}

function added(children: Map<string, Node>, label: string): Node {
  const node = createNode()
  children.set(label, node)
  return node
}

/** Appends every number below the node; an event that never happened has none. */
function collect(node: Node, labels: readonly string[], path: Readonly<Record<string, string>>, found: Series[]): void {
  const [label, ...rest] = labels
  if (label === undefined) {
    if (node.value !== 0) found.push({ labels: path, value: node.value })
  } else for (const [value, child] of node.children) collect(child, rest, { ...path, [label]: value }, found)
}
