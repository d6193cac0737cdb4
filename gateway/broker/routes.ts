// Which clients a message goes to: one copy for each, however many of its filters match, and one for each group that shares a filter.
import { createMemory, filterBytes, groupBytes, type Memory } from './memory.ts'
import type { Outbox } from './outbox.ts'
import { createSubscriptions, type Subscriptions } from './subscriptions.ts'

export interface Filter {
  readonly topic: string
  readonly qos: 0 | 1
  /** MQTT 5: not what the subscriber publishes itself [MQTT5-3.8.3.1]. */
  readonly noLocal?: boolean
  /** MQTT 5: live copies keep the RETAIN flag they were published with [MQTT5-3.8.3.1]. */
  readonly asPublished?: boolean
}

/** A session that filters belong to. */
export interface Receiver {
  readonly clientId: string
  /** true: QoS 1 is queued for it, connected or not. */
  readonly persistent: boolean
  /** While it is connected. */
  readonly outbox: Outbox | undefined
}

export interface Target {
  readonly receiver: Receiver
  readonly qos: 0 | 1
  readonly asPublished: boolean
}

export interface Routes extends Pick<Subscriptions<unknown>, 'cover' | 'version'> {
  /** In the place of the receiver's filter of the same name, if it has one [MQTT-3.8.4-3]. */
  add(receiver: Receiver, filter: Filter): void
  remove(receiver: Receiver, topic: string): void
  removeAll(receiver: Receiver): void
  /** The filters of one receiver. */
  filtersOf(receiver: Receiver): readonly string[]
  /** The same, with their options. */
  subscriptionsOf(receiver: Receiver): readonly Filter[]
  match(topic: string, publisher: string | undefined): readonly Target[]
}

interface Held extends Required<Filter> {
  readonly receiver: Receiver
}

/** All that subscribe to one filter under one share name [MQTT5-4.8.2]. */
interface Group {
  readonly key: string
  readonly filter: string
  readonly members: Map<Receiver, Held>
  turn: number
}

const share = /^\$share\/[^/]+\/(.*)$/s

export const isShared = (filter: string): boolean => filter.startsWith('$share/')

/** Filters and their levels are added to the memory. */
export function createRoutes(memory: Memory = createMemory()): Routes {
  const tree = createSubscriptions<Held | Group>(memory.add)
  const held = new Map<Receiver, Map<string, Held>>()
  const groups = new Map<string, Group>()

  const groupOf = (key: string): Group => {
    const known = groups.get(key)
    if (known) return known
    const group = { key, filter: share.exec(key)![1]!, members: new Map(), turn: 0 }
    groups.set(key, group)
    memory.add(groupBytes(key))
    tree.add(group.filter, group)
    return group
  }

  const remove = (receiver: Receiver, topic: string) => {
    const own = held.get(receiver)
    const known = own?.get(topic)
    if (!own || !known) return
    own.delete(topic)
    memory.add(-filterBytes(topic))
    if (own.size === 0) held.delete(receiver)
    if (!isShared(topic)) return tree.remove(topic, known)
    const group = groupOf(topic)
    group.members.delete(receiver)
    if (group.members.size > 0) return
    groups.delete(topic)
    memory.add(-groupBytes(topic))
    tree.remove(group.filter, group)
  }

  return {
    add(receiver, filter) {
      remove(receiver, filter.topic)
      const { topic, qos, noLocal = false, asPublished = false } = filter
      const entry = { topic, qos, noLocal, asPublished, receiver }
      const own = held.get(receiver) ?? new Map<string, Held>()
      held.set(receiver, own.set(topic, entry))
      memory.add(filterBytes(topic))
      if (isShared(topic)) groupOf(topic).members.set(receiver, entry)
      else tree.add(topic, entry)
    },
    remove,
    removeAll(receiver) {
      for (const topic of [...(held.get(receiver)?.keys() ?? [])]) remove(receiver, topic)
    },
    filtersOf: (receiver) => [...(held.get(receiver)?.keys() ?? [])],
    subscriptionsOf: (receiver) => [...(held.get(receiver)?.values() ?? [])].map(toFilter),
    match(topic, publisher) {
      const targets = new Map<Receiver, Target>()
      const shared: Target[] = []
      for (const found of tree.match(topic)) {
        if ('members' in found) {
          const member = memberOf(found)
          if (member) shared.push(toTarget(member))
        } else if (!found.noLocal || found.receiver.clientId !== publisher) {
          targets.set(found.receiver, merge(targets.get(found.receiver), found))
        }
      }
      return shared.length === 0 ? [...targets.values()] : [...targets.values(), ...shared]
    },
    cover: tree.cover,
    version: tree.version,
  }
}

const toFilter = ({ topic, qos, noLocal, asPublished }: Held): Filter => ({
  topic,
  qos,
  ...(noLocal ? { noLocal } : {}),
  ...(asPublished ? { asPublished } : {}),
})

const toTarget = ({ receiver, qos, asPublished }: Held): Target => ({ receiver, qos, asPublished })

/** One copy with the highest QoS of all filters that match [MQTT-3.3.5-1]. */
function merge(known: Target | undefined, found: Held): Target {
  if (!known) return toTarget(found)
  return { receiver: known.receiver, qos: known.qos === 1 ? 1 : found.qos, asPublished: known.asPublished || found.asPublished }
}

/** Those that are connected take turns; when nobody is, one whose session waits for it [AWS iot shared subscriptions]. */
function memberOf(group: Group): Held | undefined {
  const all = [...group.members.values()]
  const connected = all.filter(({ receiver }) => receiver.outbox)
  const able = connected.length > 0 ? connected : all.filter(({ receiver, qos }) => receiver.persistent && qos === 1)
  return able[group.turn++ % able.length]
}
