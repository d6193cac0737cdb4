// SUBSCRIBE and UNSUBSCRIBE: each filter gets its own answer, and what is retained under it.
import type { Session } from '../access/access.ts'
import { GatewayError } from '../errors.ts'
import type { Observe } from '../observe/observe.ts'
import { subackCode, toSuback, toUnsuback } from './answers.ts'
import { type Memory, memoryFull, newFilterBytes } from './memory.ts'
import type { Outbox } from './outbox.ts'
import type { SubscribePacket, UnsubscribePacket } from './packets/decode.ts'
import { type Filter, isShared, type Receiver, type Routes } from './routes.ts'
import type { Sessions } from './sessions/sessions.ts'
import type { StoredSession } from './sessions/state.ts'

/** One connection, as far as its subscriptions need it. */
export interface Subscriber {
  readonly version: number
  readonly session: Session
  readonly receiver: Receiver
  readonly outbox: Outbox
  readonly isOpen: () => boolean
  write(packet: Buffer): void
  /** Ends the connection; MQTT 5 is told why. */
  disconnect(reasonCode: number, code: 'NOT_AUTHORIZED' | 'PROTOCOL' | 'SESSIONS_FAILED'): void
}

export interface SubscribeDeps {
  readonly routes: Routes
  readonly sessions: Sessions
  readonly memory: Memory
  readonly observe: Observe
}

const noSubscriptionExisted = 0x11
const protocolError = 0x82
const notAuthorized = 0x87
const serverBusy = 0x89
const subscriptionIdentifiersNotSupported = 0xa1

type Changed = (filters: readonly string[]) => unknown

/** Calls back with the filters that were granted. A promise: the disk comes first, and the packets behind must wait for it. */
export function subscribe(packet: SubscribePacket, who: Subscriber, deps: SubscribeDeps, changed: Changed): Promise<void> | undefined {
  const { messageId, subscriptions, properties } = packet
  if (properties?.subscriptionIdentifier !== undefined) {
    who.disconnect(subscriptionIdentifiersNotSupported, 'PROTOCOL')
    return undefined
  }
  if (subscriptions.some(({ topic, nl }) => nl && isShared(topic))) {
    who.disconnect(protocolError, 'PROTOCOL') // [MQTT5-3.8.3-4]
    return undefined
  }
  const known = new Set(deps.routes.filtersOf(who.receiver))
  const refusals = refusalsOf(packet, known, who, deps)
  // An unauthorised SUBSCRIBE ends an MQTT 3 connection and is told to MQTT 5 [AWS iot policy].
  if (who.version !== 5 && refusals.some((refused) => refused?.code === 'NOT_AUTHORIZED')) {
    who.disconnect(notAuthorized, 'NOT_AUTHORIZED')
    return undefined
  }
  const granted = subscriptions.filter((_, i) => !refusals[i])
  const answer = () => {
    const codes = refusals.map((refused, i) => (refused ? subackCode(refused.code, who.version) : subscriptions[i]!.qos))
    who.write(toSuback(messageId, codes, who.version)) // [MQTT-3.8.4-4]
    changed(granted.map(({ topic }) => topic))
    for (const { topic, qos, rh = 0 } of granted) {
      // Retain handling: 0 always, 1 for a new subscription only, 2 never [MQTT5-3.3.1-9].
      if (rh === 0 || (rh === 1 && !known.has(topic))) sendRetained(topic, qos, who, deps)
    }
  }
  const filters = granted.map(toFilter)
  const { receiver } = who
  if (receiver.persistent && filters.length > 0) {
    return whenStored(deps.sessions.subscribe(receiver as StoredSession, filters), who, answer)
  }
  for (const filter of filters) deps.routes.add(receiver, filter)
  answer()
  return undefined
}

/** Calls back with the filters there are no more. */
export function unsubscribe(packet: UnsubscribePacket, who: Subscriber, deps: SubscribeDeps, changed: Changed): Promise<void> | undefined {
  const { messageId, unsubscriptions } = packet
  const { receiver, session } = who
  const known = new Set(deps.routes.filtersOf(receiver))
  session.unsubscribe(unsubscriptions)
  const answer = () => {
    const codes = unsubscriptions.map((topic) => (known.has(topic) ? 0 : noSubscriptionExisted))
    who.write(toUnsuback(messageId, codes, who.version))
    changed(unsubscriptions)
  }
  if (receiver.persistent) return whenStored(deps.sessions.unsubscribe(receiver as StoredSession, unsubscriptions), who, answer)
  for (const topic of unsubscriptions) deps.routes.remove(receiver, topic)
  answer()
  return undefined
}

function whenStored(stored: Promise<void>, who: Subscriber, answer: () => void): Promise<void> {
  return stored.then(
    () => {
      if (who.isOpen()) answer()
    },
    () => who.disconnect(serverBusy, 'SESSIONS_FAILED'),
  )
}

function refusalsOf(
  { subscriptions }: SubscribePacket,
  known: ReadonlySet<string>,
  who: Subscriber,
  { observe, memory }: SubscribeDeps,
): readonly (GatewayError | undefined)[] {
  const limited = who.session.subscribe(subscriptions.map(({ topic }) => topic))
  let asked = 0
  return subscriptions.map(({ topic, qos }, i) => {
    const tooHigh = qos > 1 ? new GatewayError('QOS_NOT_SUPPORTED', 'QoS 2 is not supported; subscribe with QoS 0 or 1') : undefined
    const bytes = known.has(topic) ? 0 : newFilterBytes(topic)
    const refused =
      limited[i] ?? tooHigh ?? who.session.maySubscribe(topic) ?? (memory.hasRoom(asked + bytes) ? undefined : memoryFull(memory))
    if (!refused) asked += bytes
    if (refused) {
      const { code, message: detail, details } = refused
      observe.record('client.failed', { code, clientId: who.receiver.clientId, topic, detail, ...details })
      if (!limited[i]) who.session.unsubscribe([topic])
    }
    return refused
  })
}

function toFilter({ topic, qos, nl, rap }: SubscribePacket['subscriptions'][number]): Filter {
  return { topic, qos: qos === 0 ? 0 : 1, ...(nl ? { noLocal: true } : {}), ...(rap ? { asPublished: true } : {}) }
}

/** Only under a filter that is the very topic, and never to a group [AWS iot retained messages]. */
function sendRetained(topic: string, qos: number, { outbox }: Subscriber, { sessions }: SubscribeDeps): void {
  if (/[#+]/.test(topic) || isShared(topic)) return
  const kept = sessions.retained(topic)
  if (kept) outbox.retained(kept, qos === 0 ? 0 : kept.qos)
}
