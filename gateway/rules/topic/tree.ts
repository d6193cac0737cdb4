// Finds the filters that cover a topic by walking down its levels: the filters that do not match are never looked at.

//            root
//           /    \                 dt/+/telemetry, dt/#, $aws/…
//         dt      $aws
//        /  \
//       +    #  → values           a level is a child by name, `+`, or the values of `#`
//       |
//   telemetry → values

interface Node<T> {
  readonly children: Map<string, Node<T>>
  plus: Node<T> | undefined
  /** Filters that end here. */
  readonly values: T[]
  /** Filters that end here in `#`: they take one more level or several. */
  readonly rest: T[]
}

export interface TopicTree<T> {
  /** The filter must be valid; the same value may be added under several. */
  add(filter: string, value: T): void
  /** The values of every filter that covers the topic, each as often as it was added. Do not change the array. */
  match(topic: string): readonly T[]
}

/** Gateways see the same few topics again and again; the cache is emptied when it is full, so strangers' topics cannot fill memory. */
const maxCachedTopics = 4_096

export function createTopicTree<T>(): TopicTree<T> {
  const root = createNode<T>()
  const cache = new Map<string, readonly T[]>()
  return {
    add(filter, value) {
      cache.clear()
      let node = root
      for (const level of filter.split('/')) {
        if (level === '#') {
          node.rest.push(value)
          return
        }
        node = level === '+' ? plusOf(node) : child(node, level)
      }
      node.values.push(value)
    },
    match(topic) {
      const known = cache.get(topic)
      if (known !== undefined) return known
      const found: T[] = []
      collect(root, topic, 0, found)
      if (cache.size >= maxCachedTopics) cache.clear()
      cache.set(topic, found)
      return found
    },
  }
}

function createNode<T>(): Node<T> {
  return { children: new Map(), plus: undefined, values: [], rest: [] }
}

function plusOf<T>(node: Node<T>): Node<T> {
  node.plus ??= createNode()
  return node.plus
}

function child<T>(node: Node<T>, level: string): Node<T> {
  let next = node.children.get(level)
  if (next === undefined) {
    next = createNode()
    node.children.set(level, next)
  }
  return next
}

/** `start` is where the next level begins. `$`-topics are out of reach for a leading wildcard [MQTT-4.7.2-1]. */
function collect<T>(node: Node<T>, topic: string, start: number, found: T[]): void {
  const wild = start > 0 || topic.charCodeAt(0) !== 0x24
  if (wild) for (const value of node.rest) found.push(value)
  const slash = topic.indexOf('/', start)
  const level = slash === -1 ? topic.slice(start) : topic.slice(start, slash)
  const named = node.children.get(level)
  const nexts = wild && node.plus ? (named ? [named, node.plus] : [node.plus]) : named ? [named] : []
  for (const next of nexts) {
    if (slash === -1) for (const value of next.values) found.push(value)
    else collect(next, topic, slash + 1, found)
  }
}
