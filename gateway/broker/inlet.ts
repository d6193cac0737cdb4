// What one connection publishes: allowed, made a message, handed to Ingest once, and answered in order. The same for both ways a PUBLISH can take.
import type { Clock } from '../../lib/clock.ts'
import type { Session } from '../access/access.ts'
import { GatewayError } from '../errors.ts'
import type { Message, Source } from '../message/message.ts'
import type { Observe } from '../observe/observe.ts'
import { type AckQueueOptions, createAckQueue, type PendingAck } from './ack-queue.ts'
import type { Ingest } from './broker.ts'
import type { Frame } from './frame.ts'
import { type PublishPacket, payloadOf, toPacket, toProperties } from './packet.ts'
import type { Subscriptions } from './subscriptions.ts'

/*
   bytes ──┬─ a PUBLISH of the usual kind, on a topic used before ──────▶ takeFrame ─┐
           └─ parser ──┬─ a PUBLISH that nobody subscribes to ─────────────▶ take ───┴─▶ Ingest ─▶ PUBACK      the early way
                       └─ all else ─▶ aedes ─▶ its hook ─▶ authorize ─▶ carry ─▶ aedes goes on                 5 µs and more

   All stand in one line, so a device cannot tell from its answers which way was taken.
*/
export interface InletDeps {
  /** For what nobody but the pipeline is to have. */
  readonly ingest: Ingest
  /** For all else: the same, and what its subscribers are owed is safe too when it resolves. `entered` is called once, when Ingest has been called. */
  readonly carry: (message: Message, packet: PublishPacket, entered: () => void) => Promise<void>
  readonly observe: Observe
  readonly clock: Clock
  readonly ids: (at?: number) => string
  readonly subscriptions: Pick<Subscriptions<unknown>, 'cover' | 'version'>
}

export interface InletOptions extends InletDeps, Pick<AckQueueOptions, 'client' | 'onRoom' | 'shared'> {
  /** Known from CONNECT on. */
  readonly session: () => Session
  /** A packet that was taken and cannot be kept, when its turn has come. */
  readonly onRefused: (packet: PublishPacket, error: unknown) => void
  /** Called for an error that neither the client nor Ingest made. */
  readonly onError: (error: unknown) => void
}

export interface Inlet {
  /** Answers the PUBLISH itself, if nobody but the pipeline is to have it; false: nothing was done. */
  take(packet: PublishPacket): boolean
  /** The same for a PUBLISH that has not been taken apart, on a topic that `take` has seen. */
  takeFrame(bytes: Buffer, frame: Frame): boolean
  /** Calls back, in turn, when Ingest has the message or with the reason why not. */
  authorize(packet: PublishPacket, done: (error?: unknown) => void): void
  isFull(): boolean
  /** Calls back when all publishes so far are answered. */
  whenAnswered(done: () => void): void
}

/** Open publishes of one connection. Receive Maximum promises a device 100; MQTT 3.1.1 promises nothing. */
const maxOpen = 1_000
const maxOpenBytes = 1024 * 1024
/** A device speaks on a few topics; one that does not is served without memory of them. */
const maxKnownTopics = 64
/** Of those, the ones looked for in bytes: one after another. */
const maxUsual = 8

interface KnownTopic {
  readonly topic: string
  readonly bytes: Buffer
  /** With the tenant this topic belongs to. */
  readonly source: Source
  awaited: boolean
  /** Of the subscriptions `awaited` was looked up in. */
  version: number
}

/** Publishes that are safe at the same moment, which is told once for all of them. */
interface SharedAck {
  readonly safe: Promise<void>
  readonly turns: PendingAck[]
  readonly messages: Message[]
}

export function createInlet(options: InletOptions): Inlet {
  const { ingest, carry, observe, clock, ids, subscriptions, session, onRefused, onError } = options
  const queue = createAckQueue({ ...options, maxOpen, maxOpenBytes })
  const topics = new Map<string, KnownTopic>()
  /** Those learnt last, and of them the last one that was published to. */
  let usual: readonly KnownTopic[] = []
  let latest: KnownTopic | undefined
  let group: SharedAck | undefined
  /** Carried publishes that the pipeline has not been offered yet: no later publish of the connection may overtake them. */
  let carrying = 0
  const entered = () => void carrying--

  const learn = (topic: string): KnownTopic => {
    const { source: from, tenantOf } = session()
    const tenant = tenantOf(topic)
    const known = {
      topic,
      bytes: Buffer.from(topic),
      source: tenant === undefined || tenant === from.tenant ? from : { ...from, tenant },
      awaited: false,
      version: -1,
    }
    if (topics.size >= maxKnownTopics) topics.clear()
    topics.set(topic, known)
    usual = [known, ...usual.slice(0, maxUsual - 1)]
    return known
  }

  const isAwaited = (known: KnownTopic) => {
    if (known.version !== subscriptions.version()) {
      known.version = subscriptions.version()
      known.awaited = subscriptions.cover(known.topic)
    }
    return known.awaited
  }

  const find = (bytes: Buffer, start: number, end: number): KnownTopic | undefined => {
    if (latest && isSame(latest.bytes, bytes, start, end)) return latest
    for (const known of usual) if (isSame(known.bytes, bytes, start, end)) return known
    return undefined
  }

  /** Once allowed, it counts as unacknowledged until the session is told otherwise. */
  const allow = (
    known: KnownTopic,
    packet: Pick<PublishPacket, 'qos' | 'retain' | 'properties'>,
    payload: Buffer,
  ): Message | GatewayError => {
    const { qos, retain = false, properties: sent } = packet
    const { topic, source } = known
    const properties = sent && toProperties(sent)
    const refused = session().publish({ topic, payloadBytes: payload.length, qos, retain, tenant: source.tenant, properties })
    if (refused) {
      const { code, message, details } = refused
      const { clientId, transport } = source
      observe.record('message.refused', { code, clientId, transport, topic, detail: message, ...details })
      return refused
    }
    const receivedAt = clock.now()
    const head = { id: ids(receivedAt), topic, payload, qos: qos === 0 ? 0 : 1, retain, receivedAt, source, hops: 0 } as const
    return properties ? { ...head, properties } : head
  }

  const refuse = (turn: PendingAck, message: Parameters<typeof toPacket>[0] & Pick<Message, 'qos'>, error: unknown) => {
    const { packetId } = turn
    queue.answer(turn, () => onRefused({ ...toPacket(message, message.qos, false), messageId: packetId }, error))
  }

  /** The early way. Ingest gives many messages one promise, and one reaction serves them all. */
  const pass = (known: KnownTopic, packet: Pick<PublishPacket, 'qos' | 'properties'>, packetId: number, payload: Buffer) => {
    const turn = queue.enter(packet.qos === 0 ? 0 : packetId, payload.length)
    const message = allow(known, packet, payload)
    if (message instanceof GatewayError) return refuse(turn, { topic: known.topic, payload, qos: packet.qos === 0 ? 0 : 1 }, message)
    const safe = ingest(message)
    if (group?.safe === safe) {
      group.turns.push(turn)
      group.messages.push(message)
      return
    }
    const [turns, messages] = [[turn], [message]]
    group = { safe, turns, messages }
    const settle = (each: (turn: PendingAck, message: Message) => void) => {
      if (group?.turns === turns) group = undefined
      const who = session()
      for (let i = 0; i < turns.length; i++) {
        if (messages[i]!.qos !== 0) who.acknowledged()
        each(turns[i]!, messages[i]!)
      }
    }
    safe
      .then(
        () => settle((pending) => queue.acknowledge(pending)),
        (error) => settle((turn, message) => refuse(turn, message, error)),
      )
      .catch(onError)
  }

  return {
    take(packet) {
      const { topic, qos, retain, messageId = 0, properties } = packet
      // Retained messages, QoS 2 and topic aliases are the broker's.
      if (qos === 2 || retain) return false
      if (properties?.topicAlias !== undefined) return false
      const known = topics.get(topic) ?? learn(topic)
      if (carrying > 0 || isAwaited(known)) return false
      pass(known, packet, messageId, payloadOf(packet))
      return true
    },
    takeFrame(bytes, frame) {
      const known = find(bytes, frame.topicStart, frame.topicEnd)
      if (!known || carrying > 0 || isAwaited(known)) return false
      latest = known
      pass(known, frame, frame.packetId, bytes.subarray(frame.payloadStart, frame.end))
      return true
    },
    authorize(packet, done) {
      const payload = payloadOf(packet)
      const turn = queue.enter(0, payload.length)
      const message = allow(topics.get(packet.topic) ?? learn(packet.topic), packet, payload)
      if (message instanceof GatewayError) return queue.answer(turn, () => done(message))
      const answer = (error?: unknown) => {
        if (message.qos !== 0) session().acknowledged()
        queue.answer(turn, () => done(error))
      }
      carrying++
      carry(message, packet, entered)
        .then(() => answer(), answer)
        .catch(onError)
    },
    isFull: queue.isFull,
    whenAnswered: (done) => queue.answer(queue.enter(0, 0), done),
  }
}

/** From the end: that is where the topics of one device differ. */
function isSame(topic: Buffer, bytes: Buffer, start: number, end: number): boolean {
  if (topic.length !== end - start) return false
  for (let i = topic.length - 1; i >= 0; i--) if (topic[i] !== bytes[start + i]) return false
  return true
}
