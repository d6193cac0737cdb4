// The broker inside the gateway. aedes shakes hands, keeps connections alive and sends wills; what is acknowledged, and who gets what, is decided here.
import { Aedes, type Client } from 'aedes'
import type { Clock } from '../../lib/clock.ts'
import type { Access, Caller, Connect, Session } from '../access/access.ts'
import { codeOf, type ErrorCode, GatewayError, textOf } from '../errors.ts'
import type { Message } from '../message.ts'
import type { Observe } from '../observe/observe.ts'
import { answerTo, connackFor, connackReasonFor, toPuback } from './answers.ts'
import type { Broker, Ingest } from './broker.ts'
import { amendConnack, type Connack, feature } from './connack.ts'
import { createInlet, type Inlet } from './inlet.ts'
import {
  type Connection,
  createConnectionNumbers,
  type DisconnectReason,
  type LifecycleEvent,
  presence,
  subscriptionsChanged,
} from './lifecycle.ts'
import { createNoStore } from './no-store.ts'
import { createOutbox, type Outbox } from './outbox.ts'
import { type PublishPacket, payloadOf, toPacket } from './packet.ts'
import { createRoutes, type Receiver, type Routes, type Target } from './routes.ts'
import { createMemoryJournal } from './sessions/journal.ts'
import { createSessions, type Opened, type Sessions, sessionsSchema } from './sessions/sessions.ts'
import { type Subscriber, subscribe, unsubscribe } from './subscribe.ts'
import { gate, keepAlive, type Takers, type TapClient, tap } from './tap.ts'

export interface EmbeddedBrokerOptions {
  readonly ingest: Ingest
  readonly access: Access
  readonly observe: Observe
  readonly clock: Clock
  readonly ids: () => string
  /** Whether a rule selects from a topic: lifecycle events that nobody wants are not made. */
  readonly isRouted?: (topic: string) => boolean
  /** What outlives connections; by default nothing outlives the broker. */
  readonly sessions?: (routes: Routes) => Sessions
}

const connectTimeoutMs = 10_000
const drainTimeoutMs = 2_000

/** [AWS iot mqtt reason codes] */
const administrativeAction = 0x98

/** Where packets have no limit of their own. */
const anyPacketBytes = 16 * 1024 * 1024
const mostInFlight = 65_535
/** A session expiry interval that means never [MQTT5-3.1.2.11.2]. */
const neverSeconds = 0xffffffff

type Done = (error?: Error | null) => void

/** What aedes keeps of a client and does not declare. */
type AedesClient = Client &
  TapClient & {
    readonly _will: PublishPacket | null
    readonly _cleanStart: boolean
    readonly _disconnected: boolean
  }

/** One connection, from its first byte to its last. */
interface Peer {
  readonly client: AedesClient
  readonly caller: Caller
  readonly inlet: Inlet
  /** What follows is there once it was let in. */
  session?: Session
  opened?: Opened
  receiver?: Receiver
  outbox?: Outbox
  connection?: Connection
  /** Why it was not let in. */
  refusal?: ErrorCode
  /** MQTT 5: topics it remembers by a number. */
  topicAliases?: number
  /** The gateway chose its client id. */
  named?: boolean
  ending?: DisconnectReason
}

/** A PUBLISH that went through `carry`, for aedes to publish when it has acknowledged it. */
interface Carried {
  readonly message: Message
  targets?: readonly Target[]
}

export function createEmbeddedBroker(options: EmbeddedBrokerOptions): Broker {
  const { ingest, access, observe, clock, ids, isRouted = () => false } = options
  const { quotas } = access.limits
  const maxPacketBytes = Math.min(quotas.packetBytes, anyPacketBytes)
  const routes = createRoutes()
  const sessions = options.sessions?.(routes) ?? inMemory(routes, { access, clock, observe })
  const numbers = createConnectionNumbers()
  /** Also of clients that have left: their wills come last. */
  const peers = new WeakMap<Client, Peer>()
  const present = new Set<Peer>()
  /** Packets taken early that came to nothing: aedes gets them after all, to answer them. */
  const refused = new WeakMap<object, { readonly error: unknown }>()
  const carried = new WeakMap<object, Carried>()
  let stopWatch = () => {}
  let stopListening = () => {}

  const peerOf = (client: Client) => peers.get(client)!

  const failed = (client: Client, error: Error) => {
    const peer = peers.get(client)
    if (peer) peer.ending = 'CLIENT_ERROR'
    observe.record('client.failed', { code: 'PROTOCOL', clientId: client.id ?? '', detail: error.message })
  }

  // ── messages ──

  /** To those connected; what waits in sessions is on its way already. */
  const deliver = (message: Message, targets: readonly Target[]) => {
    for (const { receiver, qos, asPublished } of targets) {
      const granted = message.qos === 1 ? qos : 0
      if (granted === 1 && receiver.persistent) continue
      receiver.outbox?.send(toPacket(message, granted, asPublished && message.retain))
    }
  }

  const targetsOf = ({ topic, source }: Message) => routes.match(topic, source.clientId)

  /** Resolves when the message is safe: in the pipeline, and wherever it is retained or waits for a client. */
  const keep = async (message: Message): Promise<readonly Target[]> => {
    const problem = sessions.refusal(message)
    if (problem) {
      observe.record('message.refused', { code: problem.code, topic: message.topic, detail: problem.message })
      throw problem
    }
    await ingest(message)
    const targets = targetsOf(message)
    await sessions.keep(message, targets)
    return targets
  }

  const carry = async (message: Message, packet: PublishPacket): Promise<void> => {
    const entry: Carried = { message }
    carried.set(packet, entry)
    entry.targets = await keep(message)
  }

  const announce = (event: LifecycleEvent | undefined) => {
    if (!event || !(routes.cover(event.topic) || isRouted(event.topic))) return
    const message: Message = {
      ...({ id: ids(), topic: event.topic, payload: Buffer.from(JSON.stringify(event.body)), qos: 1, retain: false } as const),
      ...{ receivedAt: clock.now(), source: { clientId: 'weir', transport: 'inside' } as const, hops: 0 },
    }
    // A refusal is in the log already, and nobody waits for these.
    if (isRouted(event.topic)) ingest(message).catch(() => undefined)
    const targets = targetsOf(message)
    sessions.keep(message, targets)?.catch(() => undefined)
    deliver(message, targets)
  }

  // ── CONNECT ──

  const admit = async (client: AedesClient, username: string | undefined, password: string | undefined): Promise<void> => {
    const peer = peerOf(client)
    const { caller } = peer
    const { id: clientId } = client
    if (peer.named) Object.assign(client, { _assignedClientId: clientId }) // [MQTT5-3.2.2.3.7]
    try {
      const login = { ...(username === undefined ? {} : { username }), ...(password === undefined ? {} : { password }) }
      const session = await access.connect({ ...caller, ...login }, toConnect(client))
      await open(peer, session)
    } catch (error) {
      const code = codeOf(error, 'INTERNAL')
      peer.refusal = code
      observe.record('client.refused', { code, clientId, transport: caller.transport, detail: textOf(error), ...detailsOf(error) })
      if (code === 'NOT_AUTHORIZED' || code === 'NOT_AUTHENTICATED') {
        const { transport, sourceIp } = caller
        announce(presence.connectFailed({ clientId, transport, ...(sourceIp === undefined ? {} : { sourceIp }) }, clock.now()))
      }
      throw Object.assign(new Error(code), { returnCode: connackFor(code, password !== undefined) })
    }
  }

  const open = async (peer: Peer, session: Session): Promise<void> => {
    const { client } = peer
    const { id: clientId, _cleanStart: fresh } = client
    const opened = await sessions.open(clientId, { protocol: client.version === 5 ? 5 : 3, fresh, expirySeconds: expiryOf(client) })
    // It may have gone meanwhile, and nobody would close what was opened.
    if (client.closed) return opened.close(expiryOf(client))
    const outbox = createOutbox({
      ...{ client, clock, observe, release: sessions.release, storedPerSecond: quotas.storedDeliveriesPerSecond },
      maxInFlight: Math.min(client.receiveMaximum ?? mostInFlight, quotas.inFlightOutbound, mostInFlight),
      topicAliases: Math.min(peer.topicAliases ?? 0, quotas.topicAliases),
      maxPacketBytes: client.maximumPacketSize ?? Number.POSITIVE_INFINITY,
      receive: session.receive,
    })
    Object.assign(peer, { session, opened, outbox, receiver: opened.session ?? { clientId, persistent: false, outbox } })
  }

  const connackOf = ({ session, opened, refusal }: Peer): Connack | undefined => {
    const reasonCode = refusal && connackReasonFor(refusal)
    if (refusal) return reasonCode === undefined ? undefined : { sessionPresent: false, reasonCode, features: {} }
    return session && { sessionPresent: opened!.present, features }
  }

  // A hook that throws or rejects would end the process, so every path of it ends in its callback.
  const broker = new Aedes({
    drainTimeout: drainTimeoutMs,
    connectTimeout: connectTimeoutMs,
    maxClientsIdLength: 128,
    maximumPacketSize: maxPacketBytes,
    topicAliasMaximum: Math.min(quotas.topicAliases, 65_535),
    receiveMaximum: Math.min(quotas.inFlightInbound, mostInFlight),
    sessionExpiryIntervalLimit: Number.isFinite(quotas.sessionExpirySeconds) ? quotas.sessionExpirySeconds : 0,
    persistence: createNoStore(),
    preConnect(client, packet, done) {
      const seconds = access.limits.keepAliveSeconds(packet.keepalive ?? 0)
      const granted = Number.isFinite(seconds) ? Math.ceil(seconds) : 0
      // MQTT 5 is told what it got [MQTT5-3.2.2.3.14].
      if (granted !== packet.keepalive) Object.assign(client, { _serverKeepAlive: granted })
      packet.keepalive = granted
      peerOf(client).topicAliases = packet.properties?.topicAliasMaximum ?? 0
      if (packet.clientId === '' && (packet.clean || packet.protocolVersion === 5)) {
        packet.clientId = ids() // [MQTT-3.1.3-6]
        peerOf(client).named = true
      }
      done(null, true)
    },
    authenticate(client, username, password, done) {
      admit(client as AedesClient, username ?? undefined, password?.toString()).then(
        () => done(null, true),
        (error) => done(error, false),
      )
    },
    authorizePublish(client, packet, done) {
      if (!client) return done(null)
      const early = refused.get(packet)
      if (early) return refuse(client, packet, early.error, done)
      peerOf(client).inlet.authorize(packet, (error) => (error === undefined ? done(null) : refuse(client, packet, error, done)))
    },
  })

  // aedes publishes what it has acknowledged, wills, and events of its own that nobody may subscribe to.
  broker.publish = (packet: object, client: unknown, done: unknown = client) => {
    const entry = carried.get(packet)
    // At QoS 0 also what could not be taken.
    if (entry) deliver(entry.message, entry.targets ?? targetsOf(entry.message))
    if (typeof done === 'function') done(null)
  }

  // ── a connection ──

  const createPeer = (client: AedesClient, caller: Caller): Peer => {
    const gated = gate(client.conn, () => inlet.isFull() || tapped.isHolding())
    const inlet = createInlet({
      ...{ client, ingest, carry, observe, clock, ids, subscriptions: routes, maxPacketBytes },
      session: () => peer.session!,
      onRoom: gated.open,
      onRefused(packet, error) {
        refused.set(packet, { error })
        tapped.handOver(packet)
      },
    })
    const peer: Peer = { client, caller, inlet }
    const deps = { routes, sessions, observe }
    const takers: Takers = {
      publish: inlet.take,
      frame: inlet.takeFrame,
      subscribe: (packet) => subscribe(packet, toSubscriber(peer), deps, (filters) => changed('subscribed', peer, filters)),
      unsubscribe: (packet) => unsubscribe(packet, toSubscriber(peer), deps, (filters) => changed('unsubscribed', peer, filters)),
      puback: ({ messageId }) => peer.outbox!.acknowledged(messageId),
    }
    const tapped = tap(client, takers, gated.open)
    return peer
  }

  const toSubscriber = ({ client, session, receiver, outbox }: Peer): Subscriber => ({
    ...{ version: client.version ?? 4, session: session!, receiver: receiver!, outbox: outbox! },
    isOpen: () => !client.closed && client.disconnectReasonCode === null,
    write: (packet) => void client.conn.write(packet),
    disconnect(reasonCode, code) {
      peerOf(client).ending = code === 'NOT_AUTHORIZED' ? 'AUTH_ERROR' : 'CLIENT_ERROR'
      observe.record('client.failed', { code, clientId: client.id })
      client.disconnect({ reasonCode })
    },
  })

  const changed = (what: 'subscribed' | 'unsubscribed', { client, connection }: Peer, filters: readonly string[]) => {
    if (connection && filters.length > 0 && !client.closed) announce(subscriptionsChanged(what, connection, clock.now(), filters))
  }

  /** What waited comes first, then what is queued from now on. */
  const begin = ({ opened, outbox, session }: Peer) => {
    const stored = opened?.session
    if (!stored || !outbox) return
    session!.resume([...stored.filters.keys()])
    for (const [kept, flagged] of sessions.queued(stored)) outbox.offer(stored, kept, flagged, true)
    stored.outbox = outbox
  }

  const end = (peer: Peer) => {
    const { client, opened, outbox, receiver } = peer
    if (!present.delete(peer)) return
    outbox?.stop()
    if (!opened || !receiver) return
    if (!opened.session) routes.removeAll(receiver)
    else if (opened.session.outbox === outbox) opened.session.outbox = undefined
    opened.close(expiryOf(client))
  }

  /** What happens to a PUBLISH that was not taken: never an acknowledgement that could pass for a success. */
  const refuse = (client: Client, packet: PublishPacket, error: unknown, done: Done) => {
    const code = codeOf(error, 'SPOOL_FAILED')
    // A will has nobody left to be told.
    if (client.closed) return done(new Error(code))
    const answer = answerTo(code, packet.qos, client.version ?? 4)
    if (answer.kind === 'forward') return done(null)
    if (answer.kind === 'disconnect') {
      peerOf(client).ending = code === 'NOT_AUTHORIZED' ? 'AUTH_ERROR' : 'CLIENT_ERROR'
      return client.disconnect({ reasonCode: answer.reason })
    }
    if (answer.kind === 'puback') client.conn.write(toPuback(packet.messageId ?? 0, answer.reason))
    // aedes' own mark for a publish that has been dealt with and goes nowhere.
    Object.assign(packet, { _notAuthorized: true })
    done(null)
  }

  // Before its CONNACK, so that whoever was announced as here is announced as gone.
  broker.on('client', (client) => {
    const peer = peerOf(client)
    peer.connection = numbers.next(peer.session!.source, ids())
    announce(presence.connected(peer.connection, clock.now()))
  })
  broker.on('clientReady', (client) => {
    const peer = peerOf(client)
    observe.record('client.connected', { clientId: client.id, transport: peer.caller.transport })
    begin(peer)
  })
  broker.on('clientDisconnect', (client) => {
    const peer = peerOf(client)
    const { caller, connection } = peer
    end(peer)
    observe.record('client.disconnected', { clientId: client.id, transport: caller.transport })
    if (connection) announce(presence.disconnected(connection, clock.now(), endingOf(client as AedesClient)))
  })
  broker.on('keepaliveTimeout', (client) => {
    peerOf(client).ending = 'MQTT_KEEP_ALIVE_TIMEOUT'
  })
  broker.on('clientError', failed)
  broker.on('connectionError', failed)

  /** Those whose certificate or secret no longer stands after a change are cut, and told why in MQTT 5. */
  const cutRevoked = () => {
    for (const peer of present) {
      const { client, session } = peer
      const revoked = session?.revoked()
      if (!session || !revoked || client.closed) continue
      const { clientId, transport } = session.source
      observe.record('client.revoked', { clientId, transport, code: revoked.code, detail: revoked.message, ...revoked.details })
      peer.ending = 'AUTH_ERROR'
      client.disconnect({ reasonCode: administrativeAction })
    }
  }

  const endingOf = (client: AedesClient): DisconnectReason => {
    const { _takingOver: takingOver } = broker as unknown as { readonly _takingOver: ReadonlySet<string> }
    if (client._disconnected) return 'CLIENT_INITIATED_DISCONNECT'
    if (takingOver.has(client.id)) return 'DUPLICATE_CLIENTID'
    if (broker.closed) return 'SERVER_INITIATED_DISCONNECT'
    return peerOf(client).ending ?? 'CONNECTION_LOST'
  }

  let stopping: Promise<void> | undefined
  const stop = async () => {
    stopWatch()
    stopListening()
    await new Promise<void>((resolve) => (broker.closed ? resolve() : broker.close(() => resolve())))
    for (const peer of [...present]) end(peer)
    await sessions.stop()
  }

  return {
    async start() {
      await sessions.start()
      await broker.listen()
      stopListening = access.onChange(cutRevoked)
      stopWatch = clock.every(1_000, () => {
        for (const { client, inlet } of present) if (inlet.isFull()) keepAlive(client)
      })
    },
    accept(stream, caller) {
      const client = broker.handle(stream) as unknown as AedesClient
      const peer = createPeer(client, caller)
      peers.set(client, peer)
      present.add(peer)
      amendConnack(
        stream,
        () => connackOf(peer),
        () => client.version ?? 4,
      )
      stream.once('close', () => end(peer))
    },
    hasSeen: (clientId) => numbers.has(clientId),
    filtersOf(clientId) {
      const client = (broker as unknown as { readonly clients: Readonly<Record<string, Client>> }).clients[clientId]
      return client?.connected ? routes.filtersOf(peerOf(client).receiver!) : undefined
    },
    async publish(message) {
      deliver(message, await keep(message))
    },
    stop() {
      stopping ??= stop()
      return stopping
    },
  }
}

/** What this broker does, said to MQTT 5 [AWS iot mqtt5 properties]. */
const features: Connack['features'] = {
  [feature.maximumQos]: 1,
  [feature.retainAvailable]: 1,
  [feature.wildcardSubscriptionAvailable]: 1,
  [feature.subscriptionIdentifiersAvailable]: 0,
  [feature.sharedSubscriptionAvailable]: 1,
}

function inMemory(routes: Routes, { access, clock, observe }: Pick<EmbeddedBrokerOptions, 'access' | 'clock' | 'observe'>): Sessions {
  return createSessions({
    ...sessionsSchema.parse({}),
    ...{ routes, clock, observe, journal: createMemoryJournal },
    maxRetained: access.limits.quotas.retainedMessages,
    messageExpirySeconds: access.limits.messageExpirySeconds,
  })
}

/** Seconds that the session of a client lives without it. */
function expiryOf({ sessionExpiryInterval }: Client): number {
  return sessionExpiryInterval >= neverSeconds ? Number.POSITIVE_INFINITY : sessionExpiryInterval
}

/** What a CONNECT asks for. The will is in aedes' hands until the client is let in. */
function toConnect({ id: clientId, clean, _will: will }: AedesClient): Connect {
  const persistent = !clean
  if (!will) return { clientId, persistent }
  const { topic, qos, retain = false } = will
  return { clientId, persistent, will: { topic, qos, retain, payloadBytes: payloadOf(will).length } }
}

function detailsOf(error: unknown): Readonly<Record<string, unknown>> {
  return error instanceof GatewayError ? error.details : {}
}
