// What one connection publishes: allowed, made a message, handed to Ingest once, and answered in order. The same for both ways a PUBLISH can take.
import type { Clock } from '../../lib/clock.ts'
import type { Session } from '../access/access.ts'
import type { Message, Source } from '../message.ts'
import type { Observe } from '../observe/observe.ts'
import type { Ingest } from './broker.ts'
import { createLine, type LineOptions } from './line.ts'
import { type PublishPacket, payloadOf, toProperties } from './packet.ts'
import type { Subscriptions } from './subscriptions.ts'

/*
   PUBLISH ──┬─ nobody subscribes, nothing special ──▶ take ──────▶ admit ─▶ PUBACK          the early way: 1 µs
             └─ all else ──▶ aedes ──▶ its hook ─▶ authorize ──▶ admit ─▶ aedes goes on      5 µs and more

   Both stand in one line, so a device cannot tell from its answers which way was taken.
*/
export interface InletDeps {
  /** For what nobody but the pipeline is to have. */
  readonly ingest: Ingest
  /** For all else: the same, and what its subscribers are owed is safe too when it resolves. */
  readonly carry: (message: Message, packet: PublishPacket) => Promise<void>
  readonly observe: Observe
  readonly clock: Clock
  readonly ids: () => string
  readonly subscriptions: Pick<Subscriptions<unknown>, 'cover' | 'version'>
  /** Larger packets are for the broker to refuse. */
  readonly maxPacketBytes: number
}

export interface InletOptions extends InletDeps, Pick<LineOptions, 'client' | 'onRoom'> {
  /** Known from CONNECT on. */
  readonly session: () => Session
  /** A packet that was taken and cannot be kept, when its turn has come. */
  readonly onRefused: (packet: PublishPacket, error: unknown) => void
}

export interface Inlet {
  /** Answers the PUBLISH itself, if nobody but the pipeline is to have it; false: nothing was done. */
  take(packet: PublishPacket): boolean
  /** Calls back, in turn, when Ingest has the message or with the reason why not. */
  authorize(packet: PublishPacket, done: (error?: unknown) => void): void
  readonly full: boolean
}

/** Open publishes of one connection. Receive Maximum promises a device 100; MQTT 3.1.1 promises nothing. */
const maxOpen = 1_000
const maxOpenBytes = 1024 * 1024
/** A device speaks on a few topics; one that does not is served without memory of them. */
const maxKnownTopics = 64
const maxTopicLevels = 100

interface KnownTopic {
  readonly topic: string
  /** With the tenant this topic belongs to. */
  readonly source: Source
  /** No name that a PUBLISH may have; the broker knows the answer. */
  readonly invalid: boolean
  awaited: boolean
  /** Of the subscriptions `awaited` was looked up in. */
  version: number
}

interface Admission {
  readonly packet: PublishPacket
  readonly payload: Buffer
  readonly known: KnownTopic
  readonly give: InletDeps['carry']
  readonly done: () => void
  readonly failed: (error: unknown) => void
}

export function createInlet(options: InletOptions): Inlet {
  const { ingest, carry, observe, clock, ids, subscriptions, maxPacketBytes, session, onRefused } = options
  const line = createLine({ ...options, maxOpen, maxOpenBytes })
  const topics = new Map<string, KnownTopic>()

  const learn = (topic: string): KnownTopic => {
    const { source: from, tenantOf } = session()
    const tenant = tenantOf(topic)
    const known = {
      topic,
      source: tenant === undefined || tenant === from.tenant ? from : { ...from, tenant },
      invalid: topic === '' || /[#+]/.test(topic) || topic.split('/').length > maxTopicLevels, // [MQTT-3.3.2-2] [MQTT-4.7.3-1]
      awaited: false,
      version: -1,
    }
    if (topics.size >= maxKnownTopics) topics.clear()
    topics.set(topic, known)
    return known
  }

  const isAwaited = (known: KnownTopic) => {
    if (known.version !== subscriptions.version) {
      known.version = subscriptions.version
      known.awaited = subscriptions.cover(known.topic)
    }
    return known.awaited
  }

  /** Calls back once: when Ingest has the message, or at once when it may not be taken. */
  const admit = ({ packet, payload, known, give, done, failed }: Admission) => {
    const { qos, retain = false, properties: sent } = packet
    const { topic, source } = known
    const { tenant } = source
    const who = session()
    const properties = sent && toProperties(sent)
    const refused = who.publish({ topic, payloadBytes: payload.length, qos, retain, tenant, properties })
    if (refused) {
      const { code, message, details } = refused
      const { clientId, transport } = source
      observe.record('message.refused', { code, clientId, transport, topic, detail: message, ...details })
      return failed(refused)
    }
    const head = { id: ids(), topic, payload, qos: qos === 0 ? 0 : 1, retain, receivedAt: clock.now(), source, hops: 0 } as const
    give(properties ? { ...head, properties } : head, packet).then(
      () => {
        if (qos !== 0) who.acknowledged()
        done()
      },
      (error) => {
        if (qos !== 0) who.acknowledged()
        failed(error)
      },
    )
  }

  return {
    take(packet) {
      const { topic, qos, retain, messageId = 0, length = 0, properties } = packet
      // Retained messages and QoS 2 are the broker's; so are properties that it answers for, and packets that it refuses.
      if (qos === 2 || retain || length > maxPacketBytes - 5) return false
      if (properties && (properties.topicAlias !== undefined || properties.responseTopic !== undefined)) return false
      const known = topics.get(topic) ?? learn(topic)
      if (known.invalid || isAwaited(known)) return false
      const payload = payloadOf(packet)
      const turn = line.enter(qos === 0 ? 0 : messageId, payload.length)
      admit({
        packet,
        payload,
        known,
        give: ingest,
        done: () => line.acknowledge(turn),
        failed: (error) => line.settle(turn, () => onRefused(packet, error)),
      })
      return true
    },
    authorize(packet, done) {
      const payload = payloadOf(packet)
      const turn = line.enter(0, payload.length)
      admit({
        packet,
        payload,
        known: topics.get(packet.topic) ?? learn(packet.topic),
        give: carry,
        done: () => line.settle(turn, done),
        failed: (error) => line.settle(turn, () => done(error)),
      })
    },
    get full() {
      return line.full
    },
  }
}
