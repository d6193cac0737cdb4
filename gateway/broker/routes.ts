// Finds the clients that get a message: one copy for each client, however many of its filters match,
// and one copy for each share group.
import { createMemory, filterBytes, groupBytes, type Memory } from './memory.ts'
import type { Outbox } from './outbox.ts'
import { createSubscriptions, type Subscriptions } from './subscriptions.ts'

export interface Filter {
  readonly topic: string
  readonly qos: 0 | 1
  /** MQTT 5: excludes messages that the subscriber publishes itself [MQTT5-3.8.3.1]. */
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

/** Who gets one copy of a message, and how. */
export interface Recipient {
  readonly receiver: Receiver
  readonly qos: 0 | 1
  readonly asPublished: boolean
}

export interface Routes extends Pick<Subscriptions<unknown>, 'cover' | 'version'> {
  /** Replaces a filter of the same name that the receiver has [MQTT-3.8.4-3]. */
  add(receiver: Receiver, filter: Filter): void
  remove(receiver: Receiver, topic: string): void
  removeAll(receiver: Receiver): void
  /** The filters of one receiver. */
  filtersOf(receiver: Receiver): readonly string[]
  /** The same, with their options. */
  subscriptionsOf(receiver: Receiver): readonly Filter[]
  match(topic: string, publisher: string | undefined): readonly Recipient[]
}

interface Subscription extends Required<Filter> {
  readonly receiver: Receiver
}

/** The members of a shared subscription [MQTT5-4.8.2]. */
interface ShareGroup {
  readonly key: string
  readonly filter: string
  readonly members: Map<Receiver, Subscription>
  turn: number
}

const share = /^\$share\/[^/]+\/(.*)$/s

export const isShared = (filter: string): boolean => filter.startsWith('$share/')

/** Adds filters and their levels to `memory`. */
export function createRoutes(memory: Memory = createMemory()): Routes {
  const tree = createSubscriptions<Subscription | ShareGroup>(memory.add)
  const subscriptions = new Map<Receiver, Map<string, Subscription>>()
  const groups = new Map<string, ShareGroup>()

  const groupOf = (key: string): ShareGroup => {
    const known = groups.get(key)
    if (known) return known
    const group = { key, filter: share.exec(key)![1]!, members: new Map(), turn: 0 }
    groups.set(key, group)
    memory.add(groupBytes(key))
    tree.add(group.filter, group)
    return group
  }

  const remove = (receiver: Receiver, topic: string) => {
    const own = subscriptions.get(receiver)
    const known = own?.get(topic)
    if (!own || !known) return
    own.delete(topic)
    memory.add(-filterBytes(topic))
    if (own.size === 0) subscriptions.delete(receiver)
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
      const own = subscriptions.get(receiver) ?? new Map<string, Subscription>()
      subscriptions.set(receiver, own.set(topic, entry))
      memory.add(filterBytes(topic))
      if (isShared(topic)) groupOf(topic).members.set(receiver, entry)
      else tree.add(topic, entry)
    },
    remove,
    removeAll(receiver) {
      for (const topic of [...(subscriptions.get(receiver)?.keys() ?? [])]) remove(receiver, topic)
    },
    filtersOf: (receiver) => [...(subscriptions.get(receiver)?.keys() ?? [])],
    subscriptionsOf: (receiver) => [...(subscriptions.get(receiver)?.values() ?? [])].map(toFilter),
    match(topic, publisher) {
      const recipients = new Map<Receiver, Recipient>()
      const shared: Recipient[] = []
      for (const found of tree.match(topic)) {
        if ('members' in found) {
          const member = memberOf(found)
          if (member) shared.push(toRecipient(member))
        } else if (!found.noLocal || found.receiver.clientId !== publisher) {
          recipients.set(found.receiver, merge(recipients.get(found.receiver), found))
        }
      }
      return shared.length === 0 ? [...recipients.values()] : [...recipients.values(), ...shared]
    },
    cover: tree.cover,
    version: tree.version,
  }
}

const toFilter = ({ topic, qos, noLocal, asPublished }: Subscription): Filter => ({
  topic,
  qos,
  ...(noLocal ? { noLocal } : {}),
  ...(asPublished ? { asPublished } : {}),
})

const toRecipient = ({ receiver, qos, asPublished }: Subscription): Recipient => ({ receiver, qos, asPublished })

/** One copy with the highest QoS of all filters that match [MQTT-3.3.5-1]. */
function merge(known: Recipient | undefined, found: Subscription): Recipient {
  if (!known) return toRecipient(found)
  return { receiver: known.receiver, qos: known.qos === 1 ? 1 : found.qos, asPublished: known.asPublished || found.asPublished }
}

/** Connected members take turns. If none is connected, a persistent session gets the message [AWS iot shared subscriptions]. */
function memberOf(group: ShareGroup): Subscription | undefined {
  const all = [...group.members.values()]
  const connected = all.filter(({ receiver }) => receiver.outbox)
  const able = connected.length > 0 ? connected : all.filter(({ receiver, qos }) => receiver.persistent && qos === 1)
  return able[group.turn++ % able.length]
}
