// What one connection is sent: QoS 0 at once or never, QoS 1 in order and so many unacknowledged at a time.
import type { Duplex } from 'node:stream'
import type { Clock } from '../../lib/clock.ts'
import { TokenBucket } from '../access/token-bucket.ts'
import type { GatewayError } from '../errors.ts'
import type { Observe } from '../observe/observe.ts'
import { type PublishPacket, toPacket } from './packet.ts'
import { encodePublish } from './packets/encode.ts'
import type { Kept, StoredSession } from './sessions/state.ts'

/** The side of a client that deliveries need. */
export interface OutboxClient {
  readonly id: string
  readonly version: number | null
  readonly conn: Duplex
  readonly closed: boolean
  readonly disconnectReasonCode: number | null
  /** Calls back when the socket has sent what is waiting; closes the client when that takes too long. */
  waitForDrain(done: () => void): void
}

export interface OutboxOptions {
  readonly client: OutboxClient
  /** QoS 1 deliveries that may be unacknowledged [MQTT5-3.3.4-9]. */
  readonly maxInFlight: number
  /** Larger packets are not sent [MQTT5-3.1.2-24]. */
  readonly maxPacketBytes: number
  /** MQTT 5: topics that the client remembers by a number [MQTT5-3.1.2.11.5]. */
  readonly topicAliases: number
  /** Messages a second of those that waited for the client to come back. */
  readonly storedPerSecond: number
  /** What forbids a delivery; asked once for each attempt. */
  readonly receive: (topic: string, payloadBytes: number) => GatewayError | undefined
  readonly release: (session: StoredSession, number: number) => void
  /** By this clock, messages expire. */
  readonly now: () => number
  readonly clock: Pick<Clock, 'monotonic' | 'sleep'>
  readonly observe: Observe
}

export interface Outbox {
  /** For this connection alone: forgotten when it ends. */
  send(packet: PublishPacket): void
  /** Under a filter just subscribed to: the only copy that carries the RETAIN flag [MQTT-3.3.1-8]. */
  retained(kept: Kept, qos: 0 | 1): void
  /** Out of a session's queue: stays there until the client has acknowledged it. `waited`: since before this connection. */
  offer(session: StoredSession, kept: Kept, flagged: boolean, waited?: boolean): void
  /** A PUBACK, with whatever reason code: the exchange is over [MQTT-4.3.2-3]. */
  acknowledged(packetId: number): void
  stop(): void
}

interface Waiting {
  readonly packet: PublishPacket
  readonly from?: { readonly session: StoredSession; readonly number: number; readonly expiresAt?: number }
  readonly waited: boolean
}

/** A subscriber with more than this unread is sent nothing more; QoS 0 closes it: one that does not read must not fill the memory. */
const maxUnreadBytes = 1024 * 1024
/** QoS 1 that waits for a client without a persistent session. */
const maxWaiting = 10_000
const maxWaitingBytes = 16 * 1024 * 1024
/** Until a delivery over a rate is tried again. */
const retryMs = 250
const maxPacketId = 65_535

export function createOutbox(options: OutboxOptions): Outbox {
  const { client, maxInFlight, maxPacketBytes, storedPerSecond, topicAliases, receive, release, now, clock, observe } = options
  const { id: clientId, conn, version } = client
  const protocolVersion = version ?? 4
  const stored = new TokenBucket(storedPerSecond, clock.monotonic())
  const ended = new AbortController()
  const inFlight = new Map<number, Waiting>()
  const aliases = new Map<string, number>()
  let waiting: Waiting[] = []
  let head = 0
  let waitingBytes = 0
  let paused = false
  let corked = false
  let lastId = 0

  const dropped = (topic: string, code: string, detail: string, more: object = {}) =>
    observe.record('delivery.dropped', { code, clientId, topic, detail, ...more })

  const isOpen = () => !client.closed && client.disconnectReasonCode === null && !ended.signal.aborted

  /** The first time with its name and a number, then with the number alone [MQTT5-3.3.2-8]. */
  const aliased = (packet: PublishPacket): PublishPacket => {
    const known = aliases.get(packet.topic)
    if (known !== undefined) return { ...packet, topic: '', properties: { ...packet.properties, topicAlias: known } }
    if (aliases.size >= topicAliases) return packet
    aliases.set(packet.topic, aliases.size + 1)
    return { ...packet, properties: { ...packet.properties, topicAlias: aliases.size } }
  }

  /** true: gone out. false: the client does not take packets of this size, which is as if it had been sent [MQTT5-3.1.2-25]. */
  const write = (full: PublishPacket): boolean => {
    const packet = protocolVersion === 5 && topicAliases > 0 ? aliased(full) : full
    const bytes = encodePublish(packet, protocolVersion)
    if (!bytes || bytes.length > maxPacketBytes) {
      if (packet !== full && packet.topic !== '') aliases.delete(packet.topic) // the client has not been told
      if (bytes) dropped(full.topic, 'PAYLOAD_TOO_LARGE', 'larger than the client accepts')
      else dropped(full.topic, 'PROPERTY_TOO_LARGE', 'no packet can hold it')
      return false
    }
    if (!corked) {
      corked = true
      conn.cork()
      process.nextTick(() => {
        corked = false
        conn.uncork()
      })
    }
    conn.write(bytes)
    return true
  }

  const sendNow = (packet: PublishPacket) => {
    if (!isOpen()) return
    const refused = receive(packet.topic, packet.payload.length)
    if (refused) return dropped(packet.topic, refused.code, refused.message, refused.details)
    if (conn.writableLength <= maxUnreadBytes) return void write(packet)
    observe.record('client.dropped', { clientId, bytes: conn.writableLength })
    conn.destroy()
  }

  const shift = () => {
    waitingBytes -= waiting[head]!.packet.payload.length
    head++
    if (head === waiting.length || head > 1_024) {
      waiting = waiting.slice(head)
      head = 0
    }
  }

  const finish = ({ from }: Waiting) => from && release(from.session, from.number)

  const nextId = () => {
    do lastId = (lastId % maxPacketId) + 1
    while (inFlight.has(lastId)) // [MQTT-2.3.1-4]
    return lastId
  }

  const pauseFor = (wait: Promise<void>) => {
    paused = true
    wait.then(
      () => {
        paused = false
        pump()
      },
      () => undefined,
    )
  }

  const drained = () => new Promise<void>((resolve) => client.waitForDrain(resolve))

  /** What is over a rate waits for the next moment; what is forbidden never comes. */
  const pump = () => {
    while (!paused && head < waiting.length && inFlight.size < maxInFlight && isOpen()) {
      const next = waiting[head]!
      const { packet, from, waited } = next
      if (from?.expiresAt !== undefined && from.expiresAt <= now()) {
        shift()
        finish(next)
        continue
      }
      if (conn.writableLength > maxUnreadBytes) return pauseFor(drained())
      if (waited && !stored.has(1, clock.monotonic())) return pauseFor(clock.sleep(retryMs, ended.signal))
      const refused = receive(packet.topic, packet.payload.length)
      if (refused?.retryable) return pauseFor(clock.sleep(retryMs, ended.signal))
      shift()
      if (refused) {
        dropped(packet.topic, refused.code, refused.message, refused.details)
        finish(next)
        continue
      }
      if (waited) stored.take(1)
      const messageId = nextId()
      if (write({ ...packet, messageId, ...remaining(packet, from?.expiresAt, now()) })) inFlight.set(messageId, next)
      else finish(next)
    }
  }

  const enqueue = (entry: Waiting) => {
    waiting.push(entry)
    waitingBytes += entry.packet.payload.length
    pump()
  }

  const send = (packet: PublishPacket) => {
    if (packet.qos === 0) return sendNow(packet)
    if (waiting.length - head >= maxWaiting || waitingBytes > maxWaitingBytes) {
      return dropped(packet.topic, 'SESSION_QUEUE_FULL', 'too much waits for the client')
    }
    enqueue({ packet, waited: false })
  }

  return {
    send,
    retained(kept, qos) {
      const packet = toPacket(kept, qos, true)
      send({ ...packet, ...remaining(packet, kept.expiresAt, now()) })
    },
    offer(session, kept, flagged, waited = false) {
      const { number, expiresAt } = kept
      const from = { session, number, ...(expiresAt === undefined ? {} : { expiresAt }) }
      enqueue({ packet: toPacket(kept, 1, flagged), from, waited })
    },
    acknowledged(packetId) {
      const sent = inFlight.get(packetId)
      if (!sent) return
      inFlight.delete(packetId)
      finish(sent)
      pump()
    },
    stop() {
      ended.abort(new Error('the connection has ended'))
      waiting = []
      head = 0
      inFlight.clear()
    },
  }
}

/** Of a message that expires, the whole seconds it has left [MQTT5-3.3.2-6]. */
function remaining({ properties }: PublishPacket, expiresAt: number | undefined, now: number): Partial<PublishPacket> {
  if (expiresAt === undefined) return {}
  return { properties: { ...properties, messageExpiryInterval: Math.max(0, Math.floor((expiresAt - now) / 1_000)) } }
}
