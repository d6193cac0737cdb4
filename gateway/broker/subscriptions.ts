// Who subscribes to what: filters in a tree, so that a topic is held against all of them in a few steps.
import { levelBytes } from './memory.ts'

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

/** One subscriber, or a set of several: most filters have one. */
type Place<T> = T | Set<T> | undefined

/** `+` is a child like any other: no level of a topic is called that [MQTT-4.7.1-1]. */
interface Node<T> {
  /** Most nodes have one child, which needs no map. */
  onlyLevel: string | undefined
  onlyChild: Node<T> | undefined
  children: Map<string, Node<T>> | undefined
  /** Whose filters end here. */
  ends: Place<T>
  /** Whose filters end here in `#`: they cover this level too, and everything below it [MQTT-4.7.1-2]. */
  rest: Place<T>
}

/** `grown` is called with the bytes that levels take, or give back. */
export function createSubscriptions<T>(grown: (bytes: number) => void = () => {}): Subscriptions<T> {
  const root = createNode<T>()
  let version = 0

  const ensure = (node: Node<T>, level: string): Node<T> => {
    const known = childOf(node, level)
    if (known) return known
    grown(levelBytes(level))
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
      grown(-levelBytes(levels[i - 1]!))
    }
  }

  return {
    add: (filter, subscriber) => change(filter, (place) => withOne(place, subscriber)),
    remove: (filter, subscriber) => change(filter, (place) => withoutOne(place, subscriber)),
    cover: (topic) => visit(root, topic.split('/'), 0, (place) => place !== undefined),
    match(topic) {
      const found: T[] = []
      visit(root, topic.split('/'), 0, (place) => {
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

function withOne<T>(place: Place<T>, subscriber: T): Place<T> {
  if (place instanceof Set) return place.add(subscriber)
  return place === undefined || place === subscriber ? subscriber : new Set([place, subscriber])
}

function withoutOne<T>(place: Place<T>, subscriber: T): Place<T> {
  if (!(place instanceof Set)) return place === subscriber ? undefined : place
  place.delete(subscriber)
  return place.size === 0 ? undefined : place
}

function isEmpty({ onlyChild, children, ends, rest }: Node<unknown>): boolean {
  return onlyChild === undefined && children === undefined && ends === undefined && rest === undefined
}

/** Shows every place of filters that cover the topic, until one is enough. */
function visit<T>(node: Node<T>, levels: readonly string[], at: number, isEnough: (place: Place<T>) => boolean): boolean {
  const wild = at > 0 || !levels[0]!.startsWith('$') // [MQTT-4.7.2-1]
  if (wild && isEnough(node.rest)) return true
  if (at === levels.length) return isEnough(node.ends)
  const named = childOf(node, levels[at]!)
  if (named && visit(named, levels, at + 1, isEnough)) return true
  const plus = wild ? childOf(node, '+') : undefined
  return plus !== undefined && visit(plus, levels, at + 1, isEnough)
}
