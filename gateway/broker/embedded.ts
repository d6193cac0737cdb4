// The broker inside the gateway. aedes shakes hands, keeps connections alive and sends wills; what is acknowledged, and who gets what, is decided here.
import { Aedes, type Client } from 'aedes'
import type { Clock } from '../../lib/clock.ts'
import { abortable } from '../../lib/stop-signal.ts'
import type { Access, Caller } from '../access/access.ts'
import { GatewayError } from '../errors.ts'
import type { Message } from '../message/message.ts'
import type { Observe } from '../observe/observe.ts'
import { connackOf, createAdmission, mostInFlight } from './admit.ts'
import { toQos2Answer } from './answers.ts'
import type { Broker, Ingest } from './broker.ts'
import { amendConnack } from './connack.ts'
import { createDelivery } from './delivery.ts'
import { catchLost, guarded, guardStream } from './guard.ts'
import { createInlet } from './inlet.ts'
import { createConnectionNumbers, type DisconnectReason, presence, subscriptionsChanged } from './lifecycle.ts'
import { createMemory, defaultMaxBytes, type Memory } from './memory.ts'
import { createNoStore } from './no-store.ts'
import type { PublishPacket } from './packet.ts'
import type { AckPacket } from './packets/decode.ts'
import type { IllegalPacket } from './packets/illegal.ts'
import {
  createPeerState,
  disconnect,
  expiryOf,
  farewell,
  type Peer,
  type PeerClient,
  refuse,
  refuseIllegal,
  tooSmall,
  toSubscriber,
} from './peer.ts'
import { createRoutes, type Recipient, type Routes } from './routes.ts'
import { createSeats } from './seats.ts'
import { createMemoryJournal } from './sessions/journal.ts'
import { createSessions, type Sessions, sessionsSchema } from './sessions/sessions.ts'
import { subscribe, unsubscribe } from './subscribe.ts'
import { gate, keepAlive, type Takers, type Tap, tap } from './tap.ts'
import { createWaitingRoom } from './waiting-room.ts'

export interface EmbeddedBrokerOptions {
  readonly ingest: Ingest
  readonly access: Access
  readonly observe: Observe
  readonly clock: Clock
  readonly ids: () => string
  /** Whether a rule selects from a topic: lifecycle events that nobody wants are not made. */
  readonly isRouted?: (topic: string) => boolean
  /** What outlives connections; by default nothing outlives the broker. */
  readonly sessions?: (routes: Routes, memory: Memory) => Sessions
  /** Memory for what the broker holds for its clients, in bytes. */
  readonly maxBytes?: number
  /** Connections that have not sent CONNECT; each takes about 25 KB. */
  readonly mostSilent?: number
}

const connectTimeoutMs = 10_000
const drainTimeoutMs = 2_000

/** [AWS iot mqtt reason codes] */
const administrativeAction = 0x98
const serverShuttingDown = 0x8b

/** Each keeps its client in memory; further wills are published without their delay. */
const mostDelayedWills = 1_000

/** Payloads of all connections that are not acknowledged yet. */
const mostOpenBytes = 64 * 1024 ** 2

/** Where packets have no limit of their own. */
const anyPacketBytes = 16 * 1024 * 1024

function answerQos2({ conn, version }: PeerClient, packet: AckPacket): void {
  const answer = toQos2Answer(packet, version ?? 4)
  if (answer) conn.write(answer)
}

/** Members of Aedes that it does not declare. */
interface AedesInside {
  clients: Record<string, Client>
  deleteClient(clientId: string): void
  on(event: 'error', listener: (error: Error) => void): unknown
}

/** A PUBLISH that went through `carry`, for aedes to publish when it has acknowledged it. */
interface Carried {
  readonly message: Message
  recipients?: readonly Recipient[]
}

export function createEmbeddedBroker(options: EmbeddedBrokerOptions): Broker {
  const { ingest, access, observe, clock, ids, isRouted = () => false, maxBytes = defaultMaxBytes, mostSilent = 2_048 } = options
  const { quotas } = access.limits
  const maxPacketBytes = Math.min(quotas.packetBytes, anyPacketBytes)
  const memory = createMemory(maxBytes)
  const routes = createRoutes(memory)
  const sessions = options.sessions?.(routes, memory) ?? inMemory(routes, memory, { access, clock, observe })
  const delivery = createDelivery({ ingest, routes, sessions, observe, clock, ids, isRouted })
  const { announce } = delivery
  const seats = createSeats()
  const admit = createAdmission({ access, sessions, seats, memory, announce, observe, clock })
  const numbers = createConnectionNumbers()
  /** Also of clients that have left: their wills come last. */
  const peers = new WeakMap<object, Peer>()
  const present = new Set<Peer>()
  /** Packets taken early that came to nothing: aedes gets them after all, to answer them. */
  const refused = new WeakMap<object, { readonly error: unknown }>()
  const carried = new WeakMap<object, Carried>()
  let stopWatch = () => {}
  let stopListening = () => {}
  let stopCatching = () => {}
  let draining = false

  const peerOf = (client: object) => peers.get(client)!
  const silent = createWaitingRoom<Peer>(mostSilent, ({ client, caller: { transport } }) => {
    observe.record('client.refused', {
      code: 'CONNECT_RATE_EXCEEDED',
      transport,
      detail: `${mostSilent} connections have not sent CONNECT`,
    })
    client.conn.destroy()
  })
  const open = { bytes: 0, max: mostOpenBytes }

  const carry = async (message: Message, packet: PublishPacket, entered: () => void): Promise<void> => {
    const entry: Carried = { message }
    carried.set(packet, entry)
    entry.recipients = await delivery.keep(message, entered)
  }

  const failed = (client: Pick<Client, 'id'>, error: Error) => {
    const peer = peers.get(client)
    if (peer) peer.ending = 'CLIENT_ERROR'
    observe.record('client.failed', { code: 'PROTOCOL', clientId: client.id ?? '', detail: error.message })
  }

  const illegal = (peer: Peer, error: IllegalPacket) => {
    failed(peer.client, error)
    refuseIllegal(peer, error)
  }

  /** Logs an error of the gateway with its cause. */
  const noteError = ({ client, caller }: Peer, error: unknown) => {
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error)
    observe.record('client.failed', { code: 'INTERNAL', clientId: client.id ?? '', transport: caller.transport, detail })
  }

  const broken = (peer: Peer, error: unknown) => {
    noteError(peer, error)
    peer.client.conn.destroy()
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
    pendingSessionsLimit: mostDelayedWills,
    persistence: createNoStore(),
    preConnect(client, packet, done) {
      silent.leave(peerOf(client))
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
      const peer = peerOf(client)
      if (peer.named) Object.assign(client, { _assignedClientId: client.id }) // [MQTT5-3.2.2.3.7]
      const login = { ...(username != null && { username }), ...(password != null && { password: password.toString() }) }
      admit(peer, login).then(
        () => done(null, true),
        (error) => done(error, false),
      )
    },
    authorizePublish(client, published, done) {
      if (!client) return done(null)
      const packet = published as unknown as PublishPacket
      const early = refused.get(packet)
      const peer = peerOf(client)
      /** Subscribers get it, also where its publisher has left without waiting for the PUBACK. */
      const forward = () => {
        const entry = carried.get(packet)
        if (entry) delivery.send(entry.message, entry.recipients)
        done(null)
      }
      const fail = (error: unknown) => {
        if (!(error instanceof GatewayError)) noteError(peer, error)
        refuse(peer, packet, error, { done, forward })
      }
      if (early) return fail(early.error)
      peer.inlet.authorize(packet, (error) => (error === undefined ? forward() : fail(error)))
    },
  })

  // A plain object has members such as `constructor`, which are client identifiers like any other.
  const aedes = broker as unknown as AedesInside
  aedes.clients = Object.create(null) as AedesInside['clients']
  const deleteClient = (clientId: string) => aedes.deleteClient(clientId)

  // `sessions` keeps sessions. aedes would keep each client with its socket and parser, about 25 KB, until its session expires.
  Object.assign(broker, { scheduleSessionExpiry() {} })

  // What aedes publishes was delivered by `authorizePublish`, or is an event of its own that nobody may subscribe to.
  broker.publish = (_packet: object, client: unknown, done: unknown = client) => {
    if (typeof done === 'function') done(null)
  }

  // ── a connection ──

  const createPeer = (client: PeerClient, caller: Caller, onError: (error: unknown) => void): Peer => {
    const gated = gate(client.conn, () => inlet.isFull() || tapped.isHolding())
    const inlet = createInlet({
      ...{ client, ingest, carry, observe, clock, ids, subscriptions: routes, shared: open, onError },
      session: () => peer.session!,
      onRoom: gated.open,
      onRefused(packet, error) {
        refused.set(packet, { error })
        tapped.handOver(packet)
      },
    })
    const peer: Peer = createPeerState(client, caller, { inlet, finish: (done) => tapped.finish(done) })
    const deps = { routes, sessions, memory, observe }
    const takers: Takers = {
      publish: inlet.take,
      frame: inlet.takeFrame,
      subscribe: (packet) => subscribe(packet, toSubscriber(peer, observe), deps, (filters) => changed('subscribed', peer, filters)),
      unsubscribe: (packet) => unsubscribe(packet, toSubscriber(peer, observe), deps, (filters) => changed('unsubscribed', peer, filters)),
      ack: (packet) => (packet.cmd === 'puback' ? peer.outbox!.acknowledged(packet.messageId) : answerQos2(client, packet)),
      illegal: (error) => illegal(peer, error),
    }
    const tapped: Tap = tap(client, { maxPacketBytes, takers, onReleased: gated.open, onError })
    return peer
  }

  const changed = (what: 'subscribed' | 'unsubscribed', { client, connection }: Peer, filters: readonly string[]) => {
    if (connection && filters.length > 0 && !client.closed) announce(subscriptionsChanged(what, connection, clock.now(), filters))
  }

  /** What waited comes first, then what is queued from now on. */
  const begin = ({ opened, outbox, session }: Peer) => {
    const stored = opened?.session
    if (!stored || !outbox) return
    session!.resume(routes.filtersOf(stored))
    for (const [kept, flagged] of sessions.queued(stored)) outbox.offer(stored, kept, flagged, true)
    stored.outbox = outbox
  }

  const end = (peer: Peer) => {
    const { client, opened, outbox, receiver } = peer
    if (!present.delete(peer)) return
    silent.leave(peer)
    seats.leave(client.id, peer.seat)
    peer.settle()
    outbox?.stop()
    if (!opened || !receiver) return
    if (!opened.session) routes.removeAll(receiver)
    else if (opened.session.outbox === outbox) opened.session.outbox = undefined
    opened.close(expiryOf(client))
  }

  // Before its CONNACK, so that whoever was announced as here is announced as gone.
  broker.on('client', (client) => {
    const peer = peerOf(client)
    // It has left while aedes was letting it in, and aedes would keep it for ever.
    if (peer.client.closed) return deleteClient(client.id)
    peer.connection = numbers.next(peer.session!.source, ids())
    announce(presence.connected(peer.connection, clock.now()))
  })
  broker.on('clientReady', (client) => {
    const peer = peerOf(client)
    observe.record('client.connected', { clientId: client.id, transport: peer.caller.transport })
    begin(peer)
    peer.settle()
  })
  broker.on('clientDisconnect', (client) => {
    const peer = peerOf(client)
    const { caller, connection } = peer
    end(peer)
    observe.record('client.disconnected', { clientId: client.id, transport: caller.transport })
    if (connection) announce(presence.disconnected(connection, clock.now(), endingOf(peer)))
  })
  broker.on('keepaliveTimeout', (client) => {
    peerOf(client).ending = 'MQTT_KEEP_ALIVE_TIMEOUT'
  })
  broker.on('clientError', failed)
  broker.on('connectionError', failed)
  aedes.on('error', (error) => observe.record('client.failed', { code: 'INTERNAL', detail: error.stack ?? error.message }))

  /** Those whose certificate or secret no longer stands after a change are cut, and told why in MQTT 5. */
  const cutRevoked = () => {
    for (const peer of present) {
      const { client, session } = peer
      const revoked = session?.revoked()
      if (!session || !revoked || client.closed) continue
      const { clientId, transport } = session.source
      observe.record('client.revoked', { clientId, transport, code: revoked.code, detail: revoked.message, ...revoked.details })
      disconnect(peer, administrativeAction, 'AUTH_ERROR')
    }
  }

  const endingOf = ({ client, ending = 'CONNECTION_LOST' }: Peer): DisconnectReason => {
    if (client._disconnected) return 'CLIENT_INITIATED_DISCONNECT'
    if (broker.closed) return 'SERVER_INITIATED_DISCONNECT'
    return ending
  }

  /** Resolves when the connection has ended and its will is ingested. */
  const leave = (peer: Peer) =>
    new Promise<void>((resolve) => {
      const { client, inlet, finish } = peer
      client.conn.once('close', () => setImmediate(() => inlet.whenAnswered(resolve)))
      if (client.conn.closed) return resolve()
      if (client.version == null) return client.conn.destroy() // no CONNECT yet
      // aedes writes its own PUBACK right after the turn of the publish.
      const sayGoodbye = () => finish(() => inlet.whenAnswered(() => setImmediate(() => farewell(peer, serverShuttingDown))))
      if (client.connected && client.connackSent) sayGoodbye()
      else client.once('connected', sayGoodbye)
    })

  const drain = async () => {
    draining = true
    const left = Promise.all([...present].map(leave))
    const inTime = () => abortable(left, clock.deadline(drainTimeoutMs)).catch(() => undefined)
    await inTime()
    if (present.size === 0) return
    for (const { client } of present) client.conn.destroy()
    await inTime()
  }

  let stopping: Promise<void> | undefined
  const stop = async () => {
    stopWatch()
    stopListening()
    stopCatching()
    await new Promise<void>((resolve) => (broker.closed ? resolve() : broker.close(() => resolve())))
    for (const peer of [...present]) end(peer)
    await sessions.stop()
  }

  return {
    async start() {
      await sessions.start()
      await broker.listen()
      stopCatching = catchLost()
      stopListening = access.onChange(cutRevoked)
      stopWatch = clock.every(1_000, () => {
        for (const { client, inlet } of present) if (inlet.isFull()) keepAlive(client)
      })
    },
    accept(stream, caller) {
      if (draining) return void stream.destroy()
      const onError = (error: unknown) => broken(peer, error)
      const client = guarded(onError, () => broker.handle(stream)) as unknown as PeerClient
      const peer = createPeer(client, caller, onError)
      peers.set(client, peer)
      present.add(peer)
      silent.enter(peer)
      amendConnack(stream, {
        amend: () => connackOf(peer),
        version: () => client.version ?? 4,
        maxBytes: () => client.maximumPacketSize ?? Number.POSITIVE_INFINITY,
        onTooLarge: (bytes) => illegal(peer, tooSmall(bytes, client.maximumPacketSize)),
      })
      guardStream(stream, onError)
      stream.once('close', () => end(peer))
    },
    hasSeen: (clientId) => numbers.has(clientId),
    filtersOf(clientId) {
      const client = aedes.clients[clientId]
      return client?.connected ? routes.filtersOf(peerOf(client).receiver!) : undefined
    },
    async publish(message) {
      delivery.send(message, await delivery.keep(message))
    },
    drain,
    stop() {
      stopping ??= stop()
      return stopping
    },
  }
}

function inMemory(
  routes: Routes,
  memory: Memory,
  { access, clock, observe }: Pick<EmbeddedBrokerOptions, 'access' | 'clock' | 'observe'>,
): Sessions {
  return createSessions({
    ...sessionsSchema.parse({}),
    ...{ routes, memory, clock, observe, journal: createMemoryJournal },
    maxRetained: access.limits.quotas.retainedMessages,
    messageExpirySeconds: access.limits.messageExpirySeconds,
  })
}
