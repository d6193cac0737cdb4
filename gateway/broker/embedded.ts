// The broker inside the gateway: aedes, told to acknowledge only what is safely ours. The only file that imports it.
import type { Duplex } from 'node:stream'
import { Aedes, type AedesPublishPacket, type Client } from 'aedes'
import type { Clock } from '../../lib/clock.ts'
import type { Access, Caller, Connect, Session } from '../access/access.ts'
import { codeOf, GatewayError, textOf } from '../errors.ts'
import type { Observe } from '../observe/observe.ts'
import { answerTo, connackFor, toPuback } from './answers.ts'
import type { Broker, Ingest } from './broker.ts'
import { createInlet, type Inlet } from './inlet.ts'
import {
  type Connection,
  createConnectionNumbers,
  type DisconnectReason,
  type LifecycleEvent,
  presence,
  subscriptionsChanged,
} from './lifecycle.ts'
import { type PublishPacket, payloadOf, toPacket } from './packet.ts'
import { createSubscriptions, type LiveSubscriptions, type StoredSubscriptions, watchLive, watchStored } from './subscriptions.ts'
import { gate, keepAlive, type SubscribePacket, type TapClient, tap } from './tap.ts'

export interface EmbeddedBrokerOptions {
  readonly ingest: Ingest
  readonly access: Access
  readonly observe: Observe
  readonly clock: Clock
  readonly ids: () => string
  /** Whether a rule selects from a topic: lifecycle events that nobody wants are not made. */
  readonly isRouted?: (topic: string) => boolean
}

/** A subscriber with more than this unread is closed: one that does not read must not hold the others. */
const maxUnreadBytes = 1024 * 1024
const connectTimeoutMs = 10_000
const drainTimeoutMs = 2_000

/** [AWS iot mqtt reason codes] */
const administrativeAction = 0x98

/** Where packets have no limit of their own. */
const anyPacketBytes = 16 * 1024 * 1024

type Done = (error?: Error | null) => void

export function createEmbeddedBroker(options: EmbeddedBrokerOptions): Broker {
  const { ingest, access, observe, clock, ids, isRouted = () => false } = options
  const { quotas } = access.limits
  const maxPacketBytes = Math.min(quotas.packetBytes, anyPacketBytes)
  const subscriptions = createSubscriptions()
  const numbers = createConnectionNumbers()
  const callers = new WeakMap<Duplex, Caller>()
  const sessions = new WeakMap<Client, Session>()
  const connections = new WeakMap<Client, Connection>()
  const endings = new WeakMap<Client, DisconnectReason>()
  /** Also of those that have left: their wills come last. */
  const inlets = new WeakMap<Client, Inlet>()
  const connected = new Set<Client>()
  /** Packets taken early that came to nothing: aedes gets them after all, to answer them. */
  const refused = new WeakMap<object, { readonly error: unknown }>()
  /** The SUBSCRIBE that a filter came in, whose filters count together. */
  const asked = new WeakMap<object, SubscribePacket>()
  const refusedSubscribes = new WeakMap<SubscribePacket, { readonly error: GatewayError | undefined }>()
  let stopWatch = () => {}
  let stopListening = () => {}

  const sessionOf = (client: Client) => sessions.get(client)!

  const failed = (client: Client, error: Error) => {
    endings.set(client, 'CLIENT_ERROR')
    observe.record('client.failed', { code: 'PROTOCOL', clientId: client.id ?? '', detail: error.message })
  }

  const announce = (event: LifecycleEvent | undefined) => {
    if (!event || !(subscriptions.cover(event.topic) || isRouted(event.topic))) return
    const message = {
      ...({ id: ids(), topic: event.topic, payload: Buffer.from(JSON.stringify(event.body)), qos: 1, retain: false } as const),
      ...{ receivedAt: clock.now(), source: { clientId: 'weir', transport: 'inside' } as const, hops: 0 },
    }
    // A refusal is in the log already, and nobody waits for these.
    if (isRouted(event.topic)) ingest(message).catch(() => undefined)
    broker.publish(toPacket(message) as AedesPublishPacket, () => {})
  }

  const admit = async (client: Client, username: string | undefined, password: string | undefined): Promise<void> => {
    const caller = callers.get(client.conn)!
    const { id: clientId } = client
    try {
      const login = { ...(username === undefined ? {} : { username }), ...(password === undefined ? {} : { password }) }
      sessions.set(client, await access.connect({ ...caller, ...login }, toConnect(client)))
    } catch (error) {
      const code = codeOf(error, 'INTERNAL')
      observe.record('client.refused', { code, clientId, transport: caller.transport, detail: textOf(error), ...detailsOf(error) })
      if (code === 'NOT_AUTHORIZED' || code === 'NOT_AUTHENTICATED') {
        const { transport, sourceIp } = caller
        announce(presence.connectFailed({ clientId, transport, ...(sourceIp === undefined ? {} : { sourceIp }) }, clock.now()))
      }
      throw Object.assign(new Error(code), { returnCode: connackFor(code, password !== undefined) })
    }
  }

  // A hook that throws or rejects would end the process, so every path of it ends in its callback.
  const broker = new Aedes({
    // mqemitter with a limit stops every delivery behind one subscriber that does not read.
    concurrency: 0,
    drainTimeout: drainTimeoutMs,
    connectTimeout: connectTimeoutMs,
    maxClientsIdLength: 128,
    maximumPacketSize: maxPacketBytes,
    topicAliasMaximum: Math.min(quotas.topicAliases, 65_535),
    receiveMaximum: Math.min(quotas.inFlightInbound, 65_535),
    sessionExpiryIntervalLimit: Number.isFinite(quotas.sessionExpirySeconds) ? quotas.sessionExpirySeconds : 0,
    preConnect(client, packet, done) {
      const seconds = access.limits.keepAliveSeconds(packet.keepalive ?? 0)
      const granted = Number.isFinite(seconds) ? Math.ceil(seconds) : 0
      // MQTT 5 is told what it got [MQTT5-3.2.2.3.14].
      if (granted !== packet.keepalive) Object.assign(client, { _serverKeepAlive: granted })
      packet.keepalive = granted
      done(null, true)
    },
    authenticate(client, username, password, done) {
      admit(client, username ?? undefined, password?.toString()).then(
        () => done(null, true),
        (error) => done(error, false),
      )
    },
    authorizePublish(client, packet, done) {
      if (!client) return done(null)
      const early = refused.get(packet)
      if (early) return refuse(client, packet, early.error, done)
      inlets.get(client)!.authorize(packet, (error) => (error === undefined ? done(null) : refuse(client, packet, error, done)))
    },
    authorizeSubscribe(client, subscription, done) {
      const error = subscribeProblem(client, subscription)
      if (!error) return done(null, subscription)
      const { code, message: detail, details } = error
      observe.record('client.failed', { code, clientId: client.id, topic: subscription.topic, detail, ...details })
      done(null, null) // SUBACK 0x80 [MQTT-3.9.3-2]
    },
    authorizeForward(client, packet) {
      const error = sessionOf(client).receive(packet.topic, packet.payload.length)
      if (error) {
        observe.record('delivery.dropped', {
          code: error.code,
          clientId: client.id,
          topic: packet.topic,
          detail: error.message,
          ...error.details,
        })
        return null
      }
      if (client.conn.writableLength <= maxUnreadBytes) return packet
      observe.record('client.dropped', { clientId: client.id, bytes: client.conn.writableLength })
      client.conn.destroy()
      return null
    },
  })

  const subscribeProblem = (client: Client, subscription: { readonly topic: string; readonly qos: number }): GatewayError | undefined => {
    const session = sessionOf(client)
    const whole = asked.get(subscription)
    // A session that is resumed brings its filters one by one.
    if (!whole) return session.subscribe([subscription.topic]) ?? session.maySubscribe(subscription.topic)
    const known = refusedSubscribes.get(whole)
    const problem = known ? known.error : session.subscribe(whole.subscriptions.map(({ topic }) => topic))
    if (!known) refusedSubscribes.set(whole, { error: problem })
    if (problem) return problem
    // aedes would take the prefix for a part of the topic.
    if (subscription.topic.startsWith('$share/')) return new GatewayError('TOPIC_INVALID', 'shared subscriptions are not supported')
    if (subscription.qos > 1) return new GatewayError('QOS_NOT_SUPPORTED', 'QoS 2 is not supported; subscribe with QoS 0 or 1')
    return session.maySubscribe(subscription.topic)
  }

  watchLive(broker as unknown as LiveSubscriptions, subscriptions)
  countApart(broker as unknown as Emitting)

  const open = (client: Client): Inlet => {
    const tapped = client as Client & TapClient
    const gated = gate(client.conn, () => inlet.full)
    const inlet = createInlet({
      ...{ client: tapped, ingest, observe, clock, ids, subscriptions, maxPacketBytes },
      session: () => sessionOf(client),
      onRoom: gated.open,
      onRefused(packet, error) {
        refused.set(packet, { error })
        early.handOver(packet)
      },
    })
    const early = tap(tapped, inlet.take, (packet) => {
      for (const subscription of packet.subscriptions) asked.set(subscription, packet)
    })
    return inlet
  }

  /** What happens to a PUBLISH that was not taken: never an acknowledgement that could pass for a success. */
  const refuse = (client: Client, packet: PublishPacket, error: unknown, done: Done) => {
    const code = codeOf(error, 'SPOOL_FAILED')
    // A will has nobody left to be told.
    if (client.closed) return done(new Error(code))
    const answer = answerTo(code, packet.qos, client.version ?? 4)
    if (answer.kind === 'forward') return done(null)
    if (answer.kind === 'disconnect') {
      endings.set(client, code === 'NOT_AUTHORIZED' ? 'AUTH_ERROR' : 'CLIENT_ERROR')
      return client.disconnect({ reasonCode: answer.reason })
    }
    if (answer.kind === 'puback') client.conn.write(toPuback(packet.messageId ?? 0, answer.reason))
    // aedes' own mark for a publish that has been dealt with and goes nowhere.
    Object.assign(packet, { _notAuthorized: true })
    done(null)
  }

  // Before its CONNACK, so that whoever was announced as here is announced as gone.
  broker.on('client', (client) => {
    const connection = numbers.next(sessionOf(client).source, ids())
    connections.set(client, connection)
    announce(presence.connected(connection, clock.now()))
  })
  broker.on('clientReady', (client) =>
    observe.record('client.connected', { clientId: client.id, transport: sessionOf(client).source.transport }),
  )
  broker.on('clientDisconnect', (client) => {
    observe.record('client.disconnected', { clientId: client.id, transport: callers.get(client.conn)!.transport })
    const connection = connections.get(client)
    if (connection) announce(presence.disconnected(connection, clock.now(), endingOf(client)))
  })
  broker.on('subscribe', (granted, client) =>
    changed(
      'subscribed',
      client,
      granted.filter(({ qos }) => qos < 128).map(({ topic }) => topic),
    ),
  ) // prettier-ignore
  broker.on('unsubscribe', (filters, client) => {
    sessions.get(client)?.unsubscribe(filters)
    if (!client.closed) changed('unsubscribed', client, filters)
  })
  broker.on('keepaliveTimeout', (client) => endings.set(client, 'MQTT_KEEP_ALIVE_TIMEOUT'))
  broker.on('clientError', failed)
  broker.on('connectionError', failed)

  /** Those whose certificate or secret no longer stands after a change are cut, and told why in MQTT 5. */
  const cutRevoked = () => {
    for (const client of connected) {
      const session = sessions.get(client)
      const revoked = session?.revoked()
      if (!session || !revoked || client.closed) continue
      const { clientId, transport } = session.source
      observe.record('client.revoked', { clientId, transport, code: revoked.code, detail: revoked.message, ...revoked.details })
      endings.set(client, 'AUTH_ERROR')
      client.disconnect({ reasonCode: administrativeAction })
    }
  }

  const changed = (what: 'subscribed' | 'unsubscribed', client: Client, filters: readonly string[]) => {
    const connection = connections.get(client)
    if (connection && filters.length > 0) announce(subscriptionsChanged(what, connection, clock.now(), filters))
  }

  const endingOf = (client: Client): DisconnectReason => {
    const { _takingOver: takingOver } = broker as unknown as { readonly _takingOver: ReadonlySet<string> }
    if ((client as unknown as { readonly _disconnected: boolean })._disconnected) return 'CLIENT_INITIATED_DISCONNECT'
    if (takingOver.has(client.id)) return 'DUPLICATE_CLIENTID'
    if (broker.closed) return 'SERVER_INITIATED_DISCONNECT'
    return endings.get(client) ?? 'CONNECTION_LOST'
  }

  return {
    async start() {
      await broker.listen()
      const { persistence } = broker as unknown as { persistence: StoredSubscriptions & RetainedMessages }
      watchStored(persistence, subscriptions)
      retainForExactFilters(persistence)
      stopListening = access.onChange(cutRevoked)
      stopWatch = clock.every(1_000, () => {
        for (const client of connected) if (inlets.get(client)?.full) keepAlive(client as Client & TapClient)
      })
    },
    accept(stream, caller) {
      callers.set(stream, caller)
      const client = broker.handle(stream)
      inlets.set(client, open(client))
      connected.add(client)
      stream.once('close', () => connected.delete(client))
    },
    hasSeen: (clientId) => numbers.has(clientId),
    filtersOf(clientId) {
      const client = (broker as unknown as { readonly clients: Readonly<Record<string, Client>> }).clients[clientId]
      return client?.connected ? Object.keys((client as unknown as { subscriptions: object }).subscriptions) : undefined
    },
    async publish(message) {
      await ingest(message)
      if (!message.retain && !subscriptions.cover(message.topic)) return
      await new Promise<void>((resolve, reject) => {
        broker.publish(toPacket(message) as AedesPublishPacket, (error) => (error ? reject(error) : resolve()))
      })
    },
    stop() {
      stopWatch()
      stopListening()
      return new Promise((resolve) => (broker.closed ? resolve() : broker.close(() => resolve())))
    },
  }
}

interface Emitting {
  readonly id: string
  readonly mq: { emit(packet: { readonly qos?: number; brokerId?: string }, done: unknown): void }
}

/**
 * aedes takes a packet with a lower number than the last for a duplicate. QoS 1 asks the store first, so QoS 0 overtakes it: each
 * gets numbers of its own.
 */
function countApart({ id, mq }: Emitting): void {
  const emit = mq.emit.bind(mq)
  mq.emit = (packet, done) => {
    if (packet.qos === 0) packet.brokerId = `${id}/0`
    emit(packet, done)
  }
}

interface RetainedMessages {
  createRetainedStreamCombi(filters: readonly string[]): unknown
}

/** A wildcard never brings retained messages [AWS iot retained messages]. */
function retainForExactFilters(store: RetainedMessages): void {
  const streamOf = store.createRetainedStreamCombi.bind(store)
  store.createRetainedStreamCombi = (filters) => streamOf(filters.filter((filter) => !/[#+]/.test(filter)))
}

/** What a CONNECT asks for. The will is in aedes' hands until the client is let in. */
function toConnect(client: Client): Connect {
  const {
    id: clientId,
    clean,
    _will: will,
  } = client as unknown as {
    readonly id: string
    readonly clean: boolean
    readonly _will: PublishPacket | null
  }
  const persistent = !clean
  if (!will) return { clientId, persistent }
  const { topic, qos, retain = false } = will
  return { clientId, persistent, will: { topic, qos, retain, payloadBytes: payloadOf(will).length } }
}

function detailsOf(error: unknown): Readonly<Record<string, unknown>> {
  return error instanceof GatewayError ? error.details : {}
}
