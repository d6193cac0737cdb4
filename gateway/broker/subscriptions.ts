// Which topics somebody subscribes to, so that a PUBLISH nobody waits for need not pay for the broker's fan-out.

export interface Subscriptions {
  /** The same filter may be added several times, and is gone when it was removed as often. */
  add(filter: string): void
  remove(filter: string): void
  /** Whether any filter covers the topic. */
  cover(topic: string): boolean
  /** Another number whenever an answer of `cover` may have changed. */
  readonly version: number
}

/** `+` is a child like any other: no level of a topic is called that [MQTT-4.7.1-1]. */
interface Node {
  readonly children: Map<string, Node>
  /** Filters that end here. */
  ends: number
  /** Filters that end here in `#`: they cover this level too, and everything below it [MQTT-4.7.1-2]. */
  rest: number
}

export function createSubscriptions(): Subscriptions {
  const root = createNode()
  let version = 0

  const change = (filter: string, by: 1 | -1) => {
    version++
    const levels = filter.split('/')
    const isRest = levels.at(-1) === '#'
    if (isRest) levels.pop()
    const path = [root]
    for (const level of levels) path.push(childOf(path.at(-1)!, level))
    if (isRest) path.at(-1)!.rest += by
    else path.at(-1)!.ends += by
    for (let i = levels.length; i > 0 && isEmpty(path[i]!); i--) path[i - 1]!.children.delete(levels[i - 1]!)
  }

  return {
    add: (filter) => change(filter, 1),
    remove: (filter) => change(filter, -1),
    cover: (topic) => covers(root, topic.split('/'), 0),
    get version() {
      return version
    },
  }
}

function createNode(): Node {
  return { children: new Map(), ends: 0, rest: 0 }
}

function childOf({ children }: Node, level: string): Node {
  const known = children.get(level)
  if (known) return known
  const node = createNode()
  children.set(level, node)
  return node
}

function isEmpty({ children, ends, rest }: Node): boolean {
  return children.size === 0 && ends <= 0 && rest <= 0
}

function covers(node: Node, levels: readonly string[], at: number): boolean {
  const wild = at > 0 || !levels[0]!.startsWith('$') // [MQTT-4.7.2-1]
  if (wild && node.rest > 0) return true
  if (at === levels.length) return node.ends > 0
  const named = node.children.get(levels[at]!)
  if (named && covers(named, levels, at + 1)) return true
  const plus = wild ? node.children.get('+') : undefined
  return plus !== undefined && covers(plus, levels, at + 1)
}

type Anyone = { readonly id: string }
// biome-ignore lint/suspicious/noExplicitAny: handed on unseen
type Callback = (...args: any[]) => void

/** What must be known of a broker to see the subscriptions of those connected. */
export interface LiveSubscriptions {
  subscribe(filter: string, deliver: Callback, done: Callback): void
  unsubscribe(filter: string, deliver: Callback, done: Callback): void
}

/** What must be known of its store to see those of sessions that outlive their connection. */
export interface StoredSubscriptions {
  addSubscriptions(client: Anyone, subscriptions: readonly { readonly topic: string }[]): Promise<unknown>
  removeSubscriptions(client: Anyone, filters: readonly string[]): Promise<unknown>
  cleanSubscriptions(client: Anyone): Promise<unknown>
}

/** From now on `subscriptions` knows a filter before the broker acts on it, and until after it has let go. */
export function watchLive(broker: LiveSubscriptions, subscriptions: Subscriptions): void {
  const subscribe = broker.subscribe.bind(broker)
  const unsubscribe = broker.unsubscribe.bind(broker)
  broker.subscribe = (filter, deliver, done) => {
    subscriptions.add(filter)
    subscribe(filter, deliver, done)
  }
  broker.unsubscribe = (filter, deliver, done) => {
    unsubscribe(filter, deliver, done)
    subscriptions.remove(filter)
  }
}

/** A session that is away has its messages queued [MQTT-4.1.0-1], so its filters count as well. */
export function watchStored(store: StoredSubscriptions, subscriptions: Subscriptions): void {
  const held = new Map<string, Set<string>>()
  const add = store.addSubscriptions.bind(store)
  const remove = store.removeSubscriptions.bind(store)
  const clean = store.cleanSubscriptions.bind(store)
  const forget = (id: string, filters: Iterable<string>) => {
    const known = held.get(id)
    for (const filter of filters) if (known?.delete(filter)) subscriptions.remove(filter)
    if (known?.size === 0) held.delete(id)
  }
  store.addSubscriptions = (client, added) => {
    const known = held.get(client.id) ?? new Set()
    held.set(client.id, known)
    for (const { topic } of added) {
      if (known.has(topic)) continue
      known.add(topic)
      subscriptions.add(topic)
    }
    return add(client, added)
  }
  // The store acts before it returns its promise, so this follows the order of the calls.
  store.removeSubscriptions = (client, filters) => {
    const removed = remove(client, filters)
    forget(client.id, filters)
    return removed
  }
  store.cleanSubscriptions = (client) => {
    const cleaned = clean(client)
    forget(client.id, [...(held.get(client.id) ?? [])])
    return cleaned
  }
}
