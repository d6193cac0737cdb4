// Topic filters in a trie: finds every filter that covers a topic in a few steps.
import { isOpenToWildcards } from './topic.ts'

//            root
//           /    \                 dt/+/telemetry, dt/#, $aws/…
//         dt      $aws
//        /  \
//       +    #  → values           a level is a child by name, `+`, or the values of `#`
//       |
//   telemetry → values

export interface TopicTrie<T> {
  /** The filter must be valid. The same value under the same filter counts once. */
  add(filter: string, value: T): void
  remove(filter: string, value: T): void
  /** Whether any filter covers the topic. */
  cover(topic: string): boolean
  /** The values of every filter that covers the topic; a value with several such filters several times. */
  match(topic: string): readonly T[]
  /** Another number whenever an answer of `cover` may have changed. */
  version(): number
}

export interface TopicTrieOptions {
  /** Whether `a/#` covers `a`: true in MQTT [MQTT-4.7.1-2], false in AWS rules [AWS iot-sql-from]. */
  readonly hashCoversParent: boolean
  /** Called for each level that is stored (1) or released (-1). */
  readonly onLevel?: (level: string, change: 1 | -1) => void
}

/** One value, or a set of several: most filters have one. */
type Place<T> = T | Set<T> | undefined

/** `+` is a child like any other: a level of a topic cannot have this name [MQTT-4.7.1-1]. */
interface Node<T> {
  /** Most nodes have one child, which needs no map. */
  onlyLevel: string | undefined
  onlyChild: Node<T> | undefined
  children: Map<string, Node<T>> | undefined
  /** Values of the filters that end here. */
  ends: Place<T>
  /** Values of the filters that end here in `#`. */
  rest: Place<T>
}

export function createTopicTrie<T>({ hashCoversParent, onLevel }: TopicTrieOptions): TopicTrie<T> {
  const root = createNode<T>()
  let version = 0

  const ensure = (node: Node<T>, level: string): Node<T> => {
    const known = childOf(node, level)
    if (known) return known
    onLevel?.(level, 1)
    return addChild(node, level)
  }

  const change = (filter: string, act: (place: Place<T>) => Place<T>) => {
    version++
    const levels = filter.split('/')
    const isRest = levels.at(-1) === '#'
    if (isRest) levels.pop()
    const path = [root]
    for (const level of levels) path.push(ensure(path.at(-1)!, level))
    const last = path.at(-1)!
    if (isRest) last.rest = act(last.rest)
    else last.ends = act(last.ends)
    for (let i = levels.length; i > 0 && isEmpty(path[i]!); i--) {
      removeChild(path[i - 1]!, levels[i - 1]!)
      onLevel?.(levels[i - 1]!, -1)
    }
  }

  /** Passes the place of every filter that covers the topic to `isEnough`, until that returns true. */
  const visit = (topic: string, isEnough: (place: Place<T>) => boolean): boolean => {
    const levels = topic.split('/')
    const isOpen = isOpenToWildcards(topic)
    const below = (node: Node<T>, at: number): boolean => {
      const wild = at > 0 || isOpen
      const isEnd = at === levels.length
      if (wild && (hashCoversParent || !isEnd) && isEnough(node.rest)) return true
      if (isEnd) return isEnough(node.ends)
      const named = childOf(node, levels[at]!)
      if (named && below(named, at + 1)) return true
      const plus = wild ? childOf(node, '+') : undefined
      return plus !== undefined && below(plus, at + 1)
    }
    return below(root, 0)
  }

  return {
    add: (filter, value) => change(filter, (place) => withOne(place, value)),
    remove: (filter, value) => change(filter, (place) => withoutOne(place, value)),
    cover: (topic) => visit(topic, (place) => place !== undefined),
    match(topic) {
      const found: T[] = []
      visit(topic, (place) => {
        if (place instanceof Set) found.push(...place)
        else if (place !== undefined) found.push(place)
        return false
      })
      return found
    },
    version: () => version,
  }
}

function createNode<T>(): Node<T> {
  return { onlyLevel: undefined, onlyChild: undefined, children: undefined, ends: undefined, rest: undefined }
}

function childOf<T>(node: Node<T>, level: string): Node<T> | undefined {
  return node.onlyLevel === level ? node.onlyChild : node.children?.get(level)
}

function addChild<T>(node: Node<T>, level: string): Node<T> {
  const child = createNode<T>()
  if (node.children) node.children.set(level, child)
  else if (node.onlyLevel === undefined) {
    node.onlyLevel = level
    node.onlyChild = child
  } else {
    node.children = new Map([
      [node.onlyLevel, node.onlyChild!],
      [level, child],
    ])
    node.onlyLevel = node.onlyChild = undefined
  }
  return child
}

function removeChild<T>(node: Node<T>, level: string): void {
  if (node.onlyLevel === level) node.onlyLevel = node.onlyChild = undefined
  else if (node.children?.delete(level) && node.children.size === 0) node.children = undefined
}

function withOne<T>(place: Place<T>, value: T): Place<T> {
  if (place instanceof Set) return place.add(value)
  return place === undefined || place === value ? value : new Set([place, value])
}

function withoutOne<T>(place: Place<T>, value: T): Place<T> {
  if (!(place instanceof Set)) return place === value ? undefined : place
  place.delete(value)
  return place.size === 0 ? undefined : place
}

function isEmpty({ onlyChild, children, ends, rest }: Node<unknown>): boolean {
  return onlyChild === undefined && children === undefined && ends === undefined && rest === undefined
}
