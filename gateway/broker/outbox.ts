// What one connection is sent: QoS 0 at once or never, QoS 1 in order and so many unacknowledged at a time.
import type { Duplex } from 'node:stream'
import type { Clock } from '../../lib/clock.ts'
import { Queue } from '../../lib/queue.ts'
import { TokenBucket } from '../access/token-bucket.ts'
import type { GatewayError } from '../errors.ts'
import type { Observe } from '../observe/observe.ts'
import { type Memory, messageBytes, queuedBytes } from './memory.ts'
import { type PublishPacket, payloadOf, toPacket, toProperties } from './packet.ts'
import { encodePublish } from './packets/encode.ts'
import type { Kept } from './sessions/kept.ts'
import type { StoredSession } from './sessions/state.ts'

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
  /** What waits here without a session, and what the client does not read, is added to it. */
  readonly memory: Memory
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

type Waiting = Stored | Direct

/** Out of a session's queue, which holds the message: its packet is made when it is sent. */
interface Stored {
  readonly session: StoredSession
  readonly kept: Kept
  readonly flagged: boolean
  /** Since before this connection. */
  readonly waited: boolean
}

/** For this connection alone. */
interface Direct {
  readonly packet: PublishPacket
  readonly bytes: number
}

/** A subscriber with more than this unread is sent nothing more; QoS 0 closes it: one that does not read must not fill the memory. */
const maxUnreadBytes = 1024 * 1024
/** Less unread than this is not counted: most packets are on their way at once. */
const minUnreadBytes = 16 * 1024
/** QoS 1 that waits for a client without a persistent session. */
const maxWaiting = 10_000
const maxWaitingBytes = 16 * 1024 * 1024
/** Until a delivery over a rate is tried again. */
const retryMs = 250
const maxPacketId = 65_535

export function createOutbox(options: OutboxOptions): Outbox {
  const { client, maxInFlight, maxPacketBytes, storedPerSecond, topicAliases, receive, release, memory, now, clock, observe } = options
  const { id: clientId, conn, version } = client
  const protocolVersion = version ?? 4
  const stored = new TokenBucket(storedPerSecond, clock.monotonic())
  const ended = new AbortController()
  const inFlight = new Map<number, Waiting>()
  const aliases = new Map<string, number>()
  let waiting = new Queue<Waiting>()
  let waitingBytes = 0
  let unread = 0
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
    if (!conn.write(bytes)) countUnread()
    return true
  }

  /** Counts what the socket holds, until it has sent that. */
  const countUnread = () => {
    const now = conn.writableLength > minUnreadBytes && !ended.signal.aborted ? conn.writableLength : 0
    if (unread === 0 && now > 0) conn.once('drain', onDrain)
    memory.add(now - unread)
    unread = now
  }

  const onDrain = () => {
    memory.add(-unread)
    unread = 0
    countUnread()
  }

  /** One client that reads nothing may hold a MiB, and many of them their shares of the memory. */
  const isUnread = () => conn.writableLength > maxUnreadBytes || (unread > 0 && !memory.allows(unread))

  const sendNow = (packet: PublishPacket) => {
    if (!isOpen()) return
    const refused = receive(packet.topic, packet.payload.length)
    if (refused) return dropped(packet.topic, refused.code, refused.message, refused.details)
    if (!isUnread()) return void write(packet)
    if (conn.writableLength <= maxUnreadBytes) return dropped(packet.topic, 'SESSION_QUEUE_FULL', 'too much waits for the client')
    observe.record('client.dropped', { clientId, bytes: conn.writableLength })
    conn.destroy()
  }

  const finish = (entry: Waiting) => {
    if ('kept' in entry) return release(entry.session, entry.kept.number)
    waitingBytes -= entry.bytes
    memory.add(-entry.bytes)
  }

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
    for (let next = waiting.first; next && !paused && inFlight.size < maxInFlight && isOpen(); next = waiting.first) {
      const { topic } = 'kept' in next ? next.kept : next.packet
      const payloadBytes = 'kept' in next ? next.kept.payloadBytes : next.packet.payload.length
      const expiresAt = 'kept' in next ? next.kept.expiresAt : undefined
      const waited = 'kept' in next && next.waited
      if (expiresAt !== undefined && expiresAt <= now()) {
        waiting.shift()
        finish(next)
        continue
      }
      if (isUnread()) return pauseFor(drained())
      if (waited && !stored.has(1, clock.monotonic())) return pauseFor(clock.sleep(retryMs, ended.signal))
      const refused = receive(topic, payloadBytes)
      if (refused?.retryable) return pauseFor(clock.sleep(retryMs, ended.signal))
      waiting.shift()
      if (refused) {
        dropped(topic, refused.code, refused.message, refused.details)
        finish(next)
        continue
      }
      if (waited) stored.take(1)
      const messageId = nextId()
      const packet = 'kept' in next ? toPacket(next.kept, 1, next.flagged) : next.packet
      if (write({ ...packet, messageId, ...remaining(packet, expiresAt, now()) })) inFlight.set(messageId, next)
      else finish(next)
    }
  }

  const enqueue = (entry: Waiting) => {
    if (ended.signal.aborted) return
    waiting.push(entry)
    pump()
  }

  const send = (packet: PublishPacket) => {
    if (packet.qos === 0) return sendNow(packet)
    if (!isOpen()) return
    const bytes = packetBytes(packet)
    const full = waiting.length >= maxWaiting || waitingBytes + bytes > maxWaitingBytes || !memory.allows(waitingBytes + bytes)
    if (full) return dropped(packet.topic, 'SESSION_QUEUE_FULL', 'too much waits for the client')
    waitingBytes += bytes
    memory.add(bytes)
    enqueue({ packet, bytes })
  }

  return {
    send,
    retained(kept, qos) {
      const packet = toPacket(kept, qos, true)
      send({ ...packet, ...remaining(packet, kept.expiresAt, now()) })
    },
    offer(session, kept, flagged, waited = false) {
      enqueue({ session, kept, flagged, waited })
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
      waiting = new Queue()
      inFlight.clear()
      memory.add(-waitingBytes)
      waitingBytes = 0
      countUnread()
    },
  }
}

function packetBytes(packet: PublishPacket): number {
  const { topic, properties } = packet
  const message = { topic, payload: payloadOf(packet), ...(properties ? { properties: toProperties(properties) } : {}) }
  return messageBytes(message) + queuedBytes
}

/** Of a message that expires, the whole seconds it has left [MQTT5-3.3.2-6]. */
function remaining({ properties }: PublishPacket, expiresAt: number | undefined, now: number): Partial<PublishPacket> {
  if (expiresAt === undefined) return {}
  return { properties: { ...properties, messageExpiryInterval: Math.max(0, Math.floor((expiresAt - now) / 1_000)) } }
}
