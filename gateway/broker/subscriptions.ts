// Who subscribes to what: filters in a tree, so that a topic is held against all of them in a few steps.

export interface Subscriptions<T> {
  /** The same subscriber under the same filter counts once. */
  add(filter: string, subscriber: T): void
  remove(filter: string, subscriber: T): void
  /** Whether any filter covers the topic. */
  cover(topic: string): boolean
  /** The subscribers of every filter that covers the topic; one with several such filters several times. */
  match(topic: string): readonly T[]
  /** Another number whenever an answer of `cover` may have changed. */
  version(): number
}

/** `+` is a child like any other: no level of a topic is called that [MQTT-4.7.1-1]. */
interface Node<T> {
  readonly children: Map<string, Node<T>>
  /** Whose filters end here. */
  readonly ends: Set<T>
  /** Whose filters end here in `#`: they cover this level too, and everything below it [MQTT-4.7.1-2]. */
  readonly rest: Set<T>
}

export function createSubscriptions<T>(): Subscriptions<T> {
  const root = createNode<T>()
  let version = 0

  const change = (filter: string, act: (place: Set<T>) => void) => {
    version++
    const levels = filter.split('/')
    const isRest = levels.at(-1) === '#'
    if (isRest) levels.pop()
    const path = [root]
    for (const level of levels) path.push(childOf(path.at(-1)!, level))
    act(isRest ? path.at(-1)!.rest : path.at(-1)!.ends)
    for (let i = levels.length; i > 0 && isEmpty(path[i]!); i--) path[i - 1]!.children.delete(levels[i - 1]!)
  }

  return {
    add: (filter, subscriber) => change(filter, (place) => place.add(subscriber)),
    remove: (filter, subscriber) => change(filter, (place) => place.delete(subscriber)),
    cover: (topic) => visit(root, topic.split('/'), 0, ({ size }) => size > 0),
    match(topic) {
      const found: T[] = []
      visit(root, topic.split('/'), 0, (place) => {
        found.push(...place)
        return false
      })
      return found
    },
    version: () => version,
  }
}

function createNode<T>(): Node<T> {
  return { children: new Map(), ends: new Set(), rest: new Set() }
}

function childOf<T>({ children }: Node<T>, level: string): Node<T> {
  const known = children.get(level)
  if (known) return known
  const node = createNode<T>()
  children.set(level, node)
  return node
}

function isEmpty({ children, ends, rest }: Node<unknown>): boolean {
  return children.size === 0 && ends.size === 0 && rest.size === 0
}

/** Shows every place whose filters cover the topic, until one is enough. */
function visit<T>(node: Node<T>, levels: readonly string[], at: number, isEnough: (place: ReadonlySet<T>) => boolean): boolean {
  const wild = at > 0 || !levels[0]!.startsWith('$') // [MQTT-4.7.2-1]
  if (wild && isEnough(node.rest)) return true
  if (at === levels.length) return isEnough(node.ends)
  const named = node.children.get(levels[at]!)
  if (named && visit(named, levels, at + 1, isEnough)) return true
  const plus = wild ? node.children.get('+') : undefined
  return plus !== undefined && visit(plus, levels, at + 1, isEnough)
}
