// The inlet: takes every PUBLISH of one connection, and its will, by one path.
import type { Clock } from '../../lib/clock.ts'
import type { Session } from '../access/access.ts'
import { GatewayError } from '../errors.ts'
import type { Message, Source } from '../message/message.ts'
import type { Observe } from '../observe/observe.ts'
import { type AckQueue, type AckQueueOptions, createAckQueue, type PendingAck } from './ack-queue.ts'
import type { Ingest } from './broker.ts'
import type { FanOut } from './fan-out.ts'
import type { Frame } from './frame.ts'
import { type PublishPacket, payloadOf, toProperties } from './packet.ts'
import type { Subscriptions } from './subscriptions.ts'

/*
   takeFrame ─┐                                        ┌─ no subscriber ───────────▶ ingest ─┐
              ├─▶ enter the ack queue ─▶ authorize ─┬──┴─ retained or subscribed ──▶ keep ───┴─▶ deliver, PUBACK
   take ──────┘                                     └─ refused ────────────────────────────────▶ onRefused

   The last column takes effect in the order of the publishes (`ack-queue.ts`).
*/
export interface InletDeps {
  /** For messages without a subscriber. */
  readonly ingest: Ingest
  /** For all other messages. `keep` calls `ingest` too. */
  readonly fanOut: Pick<FanOut, 'keep' | 'send'>
  readonly observe: Observe
  readonly clock: Clock
  readonly ids: (at?: number) => string
  readonly subscriptions: Pick<Subscriptions<unknown>, 'cover' | 'version'>
}

export interface RefusedPublish {
  readonly qos: number
  /** 0: no answer is expected. */
  readonly packetId: number
}

export interface InletOptions extends InletDeps, Pick<AckQueueOptions, 'client' | 'onRoom' | 'shared'> {
  /** Known when the connection is admitted. */
  readonly session: () => Session
  /** Answers a PUBLISH that was refused. true: its subscribers get the message nevertheless. */
  readonly onRefused: (publish: RefusedPublish, error: unknown) => boolean
  /** Called for an error that neither the client nor `ingest` made. */
  readonly onError: (error: unknown) => void
}

/** Open publishes of one connection. Receive Maximum promises a device 100; MQTT 3.1.1 promises nothing. */
const maxOpen = 1_000
const maxOpenBytes = 1024 * 1024
/** Most devices publish to a few topics. */
const maxKnownTopics = 64
/** Topics that `takeFrame` compares with the bytes of a packet, one after another. */
const maxUsual = 8

/** The part of a PUBLISH that `authorize` asks about. */
type Sent = Pick<PublishPacket, 'qos' | 'retain' | 'properties'>

interface KnownTopic {
  readonly topic: string
  readonly bytes: Buffer
  /** With the tenant that the topic belongs to. */
  readonly source: Source
  subscribed: boolean
  /** The version of the subscriptions that `subscribed` was read from. */
  version: number
}

/** Publishes of one commit batch. Their promise is the same, and one reaction serves all of them. */
interface SharedAck {
  readonly safe: Promise<void>
  readonly pending: PendingAck[]
  readonly messages: Message[]
}

export class Inlet {
  readonly #options: InletOptions
  readonly #queue: AckQueue
  readonly #topics: KnownTopics
  #shared: SharedAck | undefined
  /** Messages that `keep` has not ingested yet. Later messages of the connection must not overtake them. */
  #entering = 0
  readonly #entered = () => void this.#entering--

  constructor(options: InletOptions) {
    this.#options = options
    this.#queue = createAckQueue({ ...options, maxOpen, maxOpenBytes })
    this.#topics = new KnownTopics(options)
  }

  /** Takes a PUBLISH whose topic alias is resolved, or a will. */
  take(packet: PublishPacket): void {
    this.#publish(this.#topics.learn(packet.topic), packet, packet.messageId ?? 0, payloadOf(packet))
  }

  /** Takes a PUBLISH that is not decoded. false: its topic is not known; decode the packet and call `take`. */
  takeFrame(bytes: Buffer, frame: Frame): boolean {
    const known = this.#topics.find(bytes, frame.topicStart, frame.topicEnd)
    if (!known) return false
    this.#publish(known, frame, frame.packetId, bytes.subarray(frame.payloadStart, frame.end))
    return true
  }

  isFull(): boolean {
    return this.#queue.isFull()
  }

  /** Calls back when all publishes so far are answered. */
  whenAnswered(done: () => void): void {
    this.#queue.answer(this.#queue.enter(0, 0), done)
  }

  #publish(known: KnownTopic, packet: Sent, packetId: number, payload: Buffer): void {
    const pending = this.#queue.enter(packet.qos === 0 ? 0 : packetId, payload.length)
    const message = this.#authorize(known, packet, payload)
    if (message instanceof GatewayError) this.#refuse(pending, packet.qos, message)
    else if (message.retain || this.#entering > 0 || this.#topics.isSubscribed(known)) this.#keep(pending, message)
    else this.#pass(pending, message)
  }

  /** An allowed QoS 1 message counts as unacknowledged until `session.acknowledged` is called. */
  #authorize({ topic, source }: KnownTopic, packet: Sent, payload: Buffer): Message | GatewayError {
    const { observe, clock, ids, session } = this.#options
    const { qos, retain = false, properties: sent } = packet
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

  /** For a message without subscribers. `ingest` returns one promise for each commit batch. */
  #pass(pending: PendingAck, message: Message): void {
    const safe = this.#options.ingest(message)
    if (this.#shared?.safe === safe) {
      this.#shared.pending.push(pending)
      this.#shared.messages.push(message)
      return
    }
    const shared: SharedAck = { safe, pending: [pending], messages: [message] }
    this.#shared = shared
    safe
      .then(
        () => this.#release(shared, (pending) => this.#queue.acknowledge(pending)),
        (error) => this.#release(shared, (pending, message) => this.#refuse(pending, message.qos, error, message)),
      )
      .catch(this.#options.onError)
  }

  #release(shared: SharedAck, each: (pending: PendingAck, message: Message) => void): void {
    if (this.#shared === shared) this.#shared = undefined
    const { pending, messages } = shared
    const session = this.#options.session()
    for (let i = 0; i < pending.length; i++) {
      if (messages[i]!.qos !== 0) session.acknowledged()
      each(pending[i]!, messages[i]!)
    }
  }

  /** For a message that is retained, or has subscribers. */
  #keep(pending: PendingAck, message: Message): void {
    const { fanOut, session, onError } = this.#options
    const settled = () => {
      if (message.qos !== 0) session().acknowledged()
    }
    this.#entering++
    fanOut
      .keep(message, this.#entered)
      .then(
        (recipients) => {
          settled()
          this.#queue.acknowledge(pending, () => fanOut.send(message, recipients))
        },
        (error) => {
          settled()
          this.#refuse(pending, message.qos, error, message)
        },
      )
      .catch(onError)
  }

  #refuse(pending: PendingAck, qos: number, error: unknown, message?: Message): void {
    const { onRefused, fanOut } = this.#options
    const { packetId } = pending
    this.#queue.answer(pending, () => {
      if (onRefused({ qos, packetId }, error) && message) fanOut.send(message)
    })
  }
}

/** The topics that one connection publishes to. */
class KnownTopics {
  readonly #options: Pick<InletOptions, 'session' | 'subscriptions'>
  readonly #topics = new Map<string, KnownTopic>()
  /** The topics that were learnt last, and of those the one that was found last. */
  #usual: readonly KnownTopic[] = []
  #latest: KnownTopic | undefined

  constructor(options: Pick<InletOptions, 'session' | 'subscriptions'>) {
    this.#options = options
  }

  learn(topic: string): KnownTopic {
    const known = this.#topics.get(topic)
    if (known) return known
    const { source: from, tenantOf } = this.#options.session()
    const tenant = tenantOf(topic)
    const source = tenant === undefined || tenant === from.tenant ? from : { ...from, tenant }
    const learnt = { topic, bytes: Buffer.from(topic), source, subscribed: false, version: -1 }
    if (this.#topics.size >= maxKnownTopics) this.#topics.clear()
    this.#topics.set(topic, learnt)
    this.#usual = [learnt, ...this.#usual.slice(0, maxUsual - 1)]
    return learnt
  }

  find(bytes: Buffer, start: number, end: number): KnownTopic | undefined {
    if (this.#latest && isSame(this.#latest.bytes, bytes, start, end)) return this.#latest
    for (const known of this.#usual) {
      if (!isSame(known.bytes, bytes, start, end)) continue
      this.#latest = known
      return known
    }
    return undefined
  }

  isSubscribed(known: KnownTopic): boolean {
    const { subscriptions } = this.#options
    if (known.version !== subscriptions.version()) {
      known.version = subscriptions.version()
      known.subscribed = subscriptions.cover(known.topic)
    }
    return known.subscribed
  }
}

/** Compares from the end, where the topics of one device differ. */
function isSame(topic: Buffer, bytes: Buffer, start: number, end: number): boolean {
  if (topic.length !== end - start) return false
  for (let i = topic.length - 1; i >= 0; i--) if (topic[i] !== bytes[start + i]) return false
  return true
}
